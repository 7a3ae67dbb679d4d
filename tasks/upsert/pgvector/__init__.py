"""PostgreSQL with the extension pgvector: a table for each collection, many readers and writers."""
