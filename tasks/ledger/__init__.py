"""What may be in the store: documents, points, runs and the lease, by one coordinator and durable."""
