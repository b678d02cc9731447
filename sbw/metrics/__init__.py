"""Tensors in, numbers out: the geometry of SAEs, their projections, errors and recovery; and the tables of these."""

from sbw.run.lazy import lazy

__getattr__, __all__ = lazy(__name__, __file__)
