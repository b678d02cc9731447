"""Other people's SAEs, in folders and in SAELens's directory."""
