"""Where the five stages of a run are called: in this thread, in a few threads, or as Prefect tasks."""
