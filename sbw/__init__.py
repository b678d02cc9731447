"""Which L0 of a sparse autoencoder is right? The API, listed in docs/api.md; `import sbw` alone loads no library."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
