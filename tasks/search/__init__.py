"""Finding what a pipeline has made."""
