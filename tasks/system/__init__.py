"""The machine: child processes, locks, files, memory."""
