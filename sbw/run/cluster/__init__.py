"""Runs the cells of groups of stages on a Ray cluster; DVC's remote and run cache carry the results."""
