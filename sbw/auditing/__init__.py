"""The audit of somebody's own SAEs: a row per SAE, a verdict per family, a figure and a page."""
