"""Metrics: tensors in, numbers out. One idea a file."""
