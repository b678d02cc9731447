"""The base of every section of the params, and the types of their values."""

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


def require(holds: bool, message: str) -> None:
    """Refuse a value, inside a validator.

    Raises:
        ValueError: the rule does not hold; the message names the key and what is allowed.
    """
    if not holds:
        raise ValueError(message)
