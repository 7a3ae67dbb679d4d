"""Text of pages that only say where each letter stands: lines, tables, paragraphs."""
