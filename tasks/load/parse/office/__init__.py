"""Office documents, read from their own XML: no library between keeps all that a reader sees."""
