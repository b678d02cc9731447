"""What experiments train, one file per kind: `plan` says which SAEs, from the experiment's params and its toy."""
