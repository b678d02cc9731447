"""The params as frozen, typed objects; imports no torch, so that a bad file is refused before anything slow begins."""

from sbw.params.document import Params
from sbw.params.llm import Llm
from sbw.params.validation import Validation

__all__ = ["Llm", "Params", "Validation"]
