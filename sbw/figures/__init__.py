"""Figures: data frames in, a matplotlib figure out. One figure a file: `TABLES` names what `draw` takes."""
