"""Fits a local model to one corpus."""
