"""Documents that are files: on this machine, or wherever fsspec reaches."""
