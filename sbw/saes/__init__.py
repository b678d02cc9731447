"""SAEs: untrained, on disk, and those that an experiment trains."""
