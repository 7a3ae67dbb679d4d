"""Bytes of one format to text, one file per format."""
