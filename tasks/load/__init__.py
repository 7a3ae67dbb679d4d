"""Source to documents."""
