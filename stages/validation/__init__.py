"""Toys with a known L0, on which the recommendation is tried: a pipeline of its own, `make validation`."""
