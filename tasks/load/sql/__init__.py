"""Documents that are rows of a database."""
