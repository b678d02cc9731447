"""Figures: data frames in, a matplotlib figure out. One figure per file: `TABLES` names what its `draw` takes."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbw.files import load_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawn(name: str, folder: Path, **shown: Any) -> "Figure":
    """A figure from its tables in a folder, with what is `shown` in it where that is a choice."""
    from sbw.figures.style import styled

    module = import_module(f"sbw.figures.{name}")
    tables = [load_table(folder / f"{table}.parquet") for table in module.TABLES]
    with styled():
        figure: Figure = module.draw(*tables, **shown)
    return figure
