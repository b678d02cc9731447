"""One thin module a stage of dvc.yaml: read params and data, call `sbw`, write what came out."""
