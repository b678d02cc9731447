"""The base of every section of the params, and the types of their values."""

from collections.abc import Sequence
from os.path import expanduser
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**53)]  # exact in tables, where a column with nulls passes through floats
Patterns = Annotated[list[str], Field(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]

Folder = Annotated[str, AfterValidator(expanduser)]  # `~` is the home folder


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Any) -> Any:
        for key in values if isinstance(values, dict) else ():
            known = ", ".join(cls.model_fields)
            require(key in cls.model_fields, f"`{key}` is not a parameter; those here are: {known}")
        return values


def found(device: str) -> str:
    """Refuse, inside a validator, a GPU that PyTorch does not find."""
    if device.startswith("cuda"):
        import torch  # slow, so only if asked for

        require(torch.cuda.is_available(), f"must be 'auto' or 'cpu', since PyTorch finds no GPU, got {device!r}")
    return device


def require_distinct(key: str, values: Sequence[Any]) -> None:
    """Refuse, inside a validator, values that repeat."""
    require(len(set(values)) == len(values), f"`{key}` must not repeat a value, got {list(values)}")


def require(holds: bool, message: str) -> None:
    """Refuse a value, inside a validator.

    Raises:
        ValueError: the rule does not hold; the message names the key and what is allowed.
    """
    if not holds:
        raise ValueError(message)
