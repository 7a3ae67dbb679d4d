"""LanceDB, embedded in this process: a table of Lance files in a folder or in a bucket."""
