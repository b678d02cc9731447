"""The colours, lines and labels of the metrics, for figures that draw them side by side."""

from sbw.figures.style import BLUE, GREY, ORANGE

LINES = {
    "c_dec": (BLUE, "-", r"$c_\mathrm{dec}$"),
    "width": (ORANGE, "-", "width $s_n − s_{h−n}$"),
    "stability": (GREY, "-", "1 − agreement of seeds"),
    "s_n": (ORANGE, ":", "$s_n$"),
    "mcc": ("black", "--", "1 − MCC"),
}
"""By metric: colour, line, label."""
