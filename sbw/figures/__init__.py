"""Figures: data frames in, a matplotlib figure out. One figure per file: `TABLES` names what `draw` takes."""
