"""Chroma: its server, its Cloud, or a private server over a folder."""
