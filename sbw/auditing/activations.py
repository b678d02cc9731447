"""Where an audit takes activations from: a file of them, or texts that the SAEs' model reads."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sbw.pretrained.activations import Rows, read_activations, width_of
from sbw.pretrained.formats import Decoder
from sbw.run.errors import UserError, printable

TOKENS = 100_000
"""Tokens of texts that are read, unless told otherwise."""
CONTEXT, BATCH = 128, 16
"""Tokens per context, and contexts that the model reads at once."""
Source = Callable[[Decoder], Rows]
"""The activations for an SAE, streamed."""


class SourceError(UserError):
    """What is given for all SAEs cannot be used."""


@contextmanager
def source_of(
    activations: Path | str | None, texts: Path | str | None, model: str | None, hook: str | None, rows: int | None
) -> Iterator[Source | None]:
    """What gives an SAE's activations while the block runs; None without a file or texts. The arguments are `audit`'s.

    Raises:
        FileNotFoundError, UserError: arguments exclude each other, or the file or the texts cannot be read.
    """
    if activations and texts:
        raise UserError("`activations` and `texts` exclude each other")
    if not texts and (model or hook):
        raise UserError("`model` and `hook` are for `texts`, which are missing")
    if rows is not None and not (activations or texts):
        raise UserError("`rows` is for `activations` or `texts`, which are missing")
    if rows is not None and rows < 1:
        raise UserError(f"`rows` must be at least 1, got {rows}")
    if activations:
        width_of(Path(activations))
        yield lambda _: _ending_all(read_activations(Path(activations), rows))
    elif texts:
        with TemporaryDirectory() as folder:
            yield _Read(Path(texts), model, hook, rows or TOKENS, Path(folder))
    else:
        yield None


def _ending_all(rows: Rows) -> Rows:
    """The same, where an error ends the audit of all SAEs."""
    try:
        yield from rows
    except (UserError, OSError) as error:
        raise SourceError(str(error)) from error


class _Read:
    """Activations of a model that reads texts, harvested once per model and hook."""

    def __init__(self, texts: Path, model: str | None, hook: str | None, tokens: int, folder: Path):
        from sbw.llm.corpus import texts_of_files, write_texts

        self.model, self.hook, self.tokens, self.folder = model, hook, tokens, folder
        if not write_texts(texts_of_files(texts), folder / "texts"):
            raise UserError(f"{texts} holds no text")
        self.models: dict[str, Path] = {}
        self.harvested: dict[tuple[str, str], Path | UserError] = {}

    def __call__(self, decoder: Decoder) -> Rows:
        model, hook = self.model or decoder.model, self.hook or decoder.hook
        for key, value in (("model", model), ("hook", hook)):
            if not value:
                raise UserError(f"its files name no {key}: give `{key}`")
        if (model, hook) not in self.harvested:
            self.harvested[model, hook] = self._tried(model, hook)
        found = self.harvested[model, hook]
        if isinstance(found, UserError):
            raise found
        return read_activations(found)

    def _tried(self, model: str, hook: str) -> Path | UserError:
        """The harvest, or why there is none, which ends the audit where the user named the model and the hook."""
        try:
            return self._harvest(model, hook)
        except UserError as error:
            return SourceError(str(error)) if self.model and self.hook else error

    def _harvest(self, name: str, hook: str) -> Path:
        from sbw.llm.activations import harvest, open_store, tokenise
        from sbw.llm.model import fetch_model, load_model, require_hook
        from sbw.llm.wheel import LABEL

        print(printable(f"audit: {name} reads texts, at {hook}"), file=sys.stderr)
        if name not in self.models:
            place = Path(name) if Path(name).is_dir() else self.folder / f"model-{len(self.models)}"
            if not place.is_dir():
                fetch_model("smollm2" if name == LABEL else _on_hub(name), place)
            self.models[name] = place
        model = load_model(self.models[name], "SAETransformerBridge", "auto")
        require_hook(model, hook, "hook")
        out = self.folder / f"activations-{len(self.harvested)}"
        out.mkdir()
        store = open_store(model, self.folder / "texts", hook, CONTEXT, BATCH)
        contexts = tokenise(store, out, tokens=self.tokens)
        if not contexts.kept:
            raise UserError(f"the texts have fewer than {CONTEXT} tokens")
        harvest(model, store, contexts, BATCH, out)
        return out


def _on_hub(name: str) -> str:
    """A model's name on the Hugging Face hub; SAELens's directory has TransformerLens's own, such as `gpt2-small`."""
    from transformer_lens.loading_from_pretrained import get_official_model_name

    try:
        return get_official_model_name(name)
    except ValueError:  # not one that TransformerLens has by name
        return name
