"""Figures of SAEs on a language model: data frames in, a matplotlib figure out."""

COLUMNS, PANEL = 3, (2.1, 1.6)
"""Panels per row, and inches of each."""
