"""Models that run on this machine: which runtime, in which precision, in which batches."""
