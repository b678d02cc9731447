"""Which L0 of a sparse autoencoder is right? The API, listed in docs/api.md; `import sbw` alone loads no library."""

from sbw.run.lazy import lazy

__getattr__, __all__ = lazy(__name__, __file__)
