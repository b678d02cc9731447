"""A toy model as training streams it."""
