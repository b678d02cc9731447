"""Which L0 is right: from metrics to verdicts."""
