"""The sections `collect_l0`, `synthesize` and `recommend`."""

from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import Field, model_validator

from sbw.params.base import Patterns, Section, Seed, require


class CollectL0(Section):
    models: Patterns
    """Shell patterns; an SAE is selected only where one matches its model."""
    releases: Patterns
    """Shell patterns; an SAE is selected only where one matches its release."""
    require_neuronpedia: bool
    """Whether an SAE is selected only if Neuronpedia shows it."""

    @model_validator(mode="after")
    def _selects_some(self) -> Self:
        if self.models == self.releases == ["*"]:
            return self
        # Too slow for those who select all.
        from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

        candidates = [entry for entry in get_pretrained_saes_directory().values()
                      if any(l0 and (not self.require_neuronpedia or entry.neuronpedia_id[sae_id])
                             for sae_id, l0 in entry.expected_l0.items())]  # fmt: skip
        for key, name, patterns in (("models", "model", self.models), ("releases", "release", self.releases)):
            known = ", ".join(sorted({getattr(entry, name) for entry in candidates}))
            candidates = [entry for entry in candidates
                          if any(fnmatchcase(getattr(entry, name), pattern) for pattern in patterns)]  # fmt: skip
            require(bool(candidates), f"`{key}` must match one of: {known}, got {patterns}")
        return self


class Synthesize(Section):
    eval_samples: Annotated[int, Field(ge=10)]
    """Rows of the fixed evaluation sample; standard errors come from ten blocks of them."""
    seed: Seed
    """Seed of the fixed evaluation sample."""


class Recommend(Section):
    seed: Seed
    """Seed of the bootstrap draws."""
