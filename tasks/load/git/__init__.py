"""Documents from a git repository, read without a work tree."""
