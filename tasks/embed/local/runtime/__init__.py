"""What computes a local model's vectors, and which one is the fastest that makes the same."""
