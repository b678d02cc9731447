"""Tensors in, numbers out: the geometry of SAEs, their projections, errors and recovery; and the tables of these."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
