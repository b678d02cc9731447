"""Runs the cells of a sweep on the machines of a Ray cluster; DVC's remote and run cache carry the results."""
