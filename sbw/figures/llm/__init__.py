"""Figures of SAEs on a language model: data frames in, a matplotlib figure out."""
