"""Pages of a web server, and which addresses may be asked."""
