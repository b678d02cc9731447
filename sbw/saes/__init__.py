"""SAEs: untrained, on disk, and which ones an experiment trains."""
