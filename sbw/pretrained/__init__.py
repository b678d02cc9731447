"""SAEs made elsewhere, in folders and in SAELens's directory."""
