"""The commands of `headrace`, one file each."""
