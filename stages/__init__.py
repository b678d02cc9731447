"""The stages of the pipeline, `python -m stages.NAME` each."""
