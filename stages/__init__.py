"""The stages of the pipeline, each run by `python -m stages.NAME`."""
