"""How a stage runs; no number depends on it."""
