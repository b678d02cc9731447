"""What experiments train, a kind a file: `cells` takes the experiment's params and its toy, and says which SAEs."""
