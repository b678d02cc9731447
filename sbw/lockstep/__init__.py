"""The fast trainer: many small SAEs at once, with the arithmetic of SAELens's own. `trainer` is the entry."""
