"""SAELens's directory of pretrained SAEs as a table, with their L0."""

import re
from fnmatch import fnmatchcase

import pandas as pd
import pyarrow as pa
from sae_lens import __version__
from sae_lens.loading.pretrained_saes_directory import PretrainedSAELookup, get_pretrained_saes_directory

from sbw.files import column
from sbw.pretrained.names import plain

PRETRAINED = pa.schema(
    [
        column("release", pa.string(), "release in SAELens's directory"),
        column("sae_id", pa.string(), "id of the SAE in its release"),
        column("repo_id", pa.string(), "Hugging Face repository"),
        column("model", pa.string(), "name of the language model in the directory"),
        column("l0", pa.float64(), "active latents per token, on average; null where the directory states none"),
        column("neuronpedia_id", pa.string(), "id on Neuronpedia; null where it has none"),
        column("variance_explained", pa.float64(), "share of variance; null where the directory states none"),
        column("layer", pa.int64(), "layer of the model, from 0; null where the ids do not say"),
        column("width", pa.int64(), "number of latents; null where the ids do not say"),
        column("site", pa.string(), "residual, mlp, attention, transcoder or embedding; null where the ids do not say"),
        column("selected", pa.bool_(), "whether it has an L0 and matches the params `collect_l0`"),
    ],
    metadata={"sae_lens_version": __version__},
)

_LAYER = re.compile(r"^(?:blocks\.|l)(\d+)[._amr]|(?:^|[/_])layer_?(\d+)(?=$|[/_])")
_WIDTH = re.compile(
    r"(?:^|[/_-])(?:width[_-]|w|v5-)(?P<number>\d+)(?P<unit>[km])(?=$|[/_-])"
    r"|width-2pow(?P<power>\d+)|hook_resid_pre_(?P<plain>\d+)$"
)
_SITE_OF_ID = [
    (re.compile(r"hook_resid_(pre|mid|post)|^resid_post_|^l\d+r_"), "residual"),
    (re.compile(r"hook_mlp_out|^l\d+m_"), "mlp"),
    (re.compile(r"hook_attn_out|hook_z|^l\d+a_"), "attention"),
    (re.compile(r"^transcoder/"), "transcoder"),
    (re.compile(r"^embedding/"), "embedding"),
]
_SITE_OF_RELEASE_WORD = {"res": "residual", "mlp": "mlp", "att": "attention", "transcoders": "transcoder",
                         "clt": "transcoder"}  # fmt: skip


def pretrained_saes() -> pd.DataFrame:
    """One row per SAE of SAELens's directory, in its order, with the columns of `PRETRAINED` except `selected`.

    Where a release states none, SAELens has an L0 of 0 and a variance explained of 1; both are null here.
    """
    directory = get_pretrained_saes_directory()
    rows = [_row(entry, sae_id) for entry in directory.values() for sae_id in entry.saes_map]
    return pd.DataFrame(rows).astype({"layer": "Int64", "width": "Int64"})


def select(saes: pd.DataFrame, models: list[str], releases: list[str], require_neuronpedia: bool) -> pd.Series:
    """Whether each row of `pretrained_saes` has an L0 above 0 and is asked for; the paper's figure has `*` and `True`.

    Args:
        models, releases: shell patterns, of which one must match.
        require_neuronpedia: whether the SAE must be on Neuronpedia.
    """
    wanted = _matches(saes["model"], models) & _matches(saes["release"], releases) & (saes["l0"] > 0)
    return wanted & saes["neuronpedia_id"].notna() if require_neuronpedia else wanted


def parse_layer(sae_id: str) -> int | None:
    """The layer that an SAE's id states, or None."""
    match = _LAYER.search(sae_id)
    return int(match[1] or match[2]) if match else None


def parse_width(release: str, sae_id: str) -> int | None:
    """The number of latents that an SAE's id, or else its release, states, or None.

    Thousands and millions stand for powers of two (16k and 131k for 16,384 and 131,072); others are not guessed.
    """
    match = _WIDTH.search(sae_id) or _WIDTH.search(release)
    if match is None:
        return None
    if match["power"]:
        return 2 ** int(match["power"])
    return int(match["plain"]) if match["plain"] else _power_of_two(int(match["number"]), match["unit"])


def parse_site(release: str, sae_id: str) -> str | None:
    """The site in the model that an SAE's id, or else its release, states, or None."""
    for pattern, site in _SITE_OF_ID:
        if pattern.search(sae_id):
            return site
    words = re.split(r"[-_]", release)
    return next((site for word, site in _SITE_OF_RELEASE_WORD.items() if word in words), None)


def _row(entry: PretrainedSAELookup, sae_id: str) -> dict[str, object]:
    explained, on_neuronpedia = entry.expected_var_explained[sae_id], entry.neuronpedia_id[sae_id]
    return {
        "release": plain(entry.release),
        "sae_id": plain(sae_id),
        "repo_id": plain(entry.repo_id),
        "model": plain(entry.model),
        "l0": entry.expected_l0[sae_id] or None,
        "neuronpedia_id": plain(on_neuronpedia) if on_neuronpedia else on_neuronpedia,
        "variance_explained": explained if explained < 1 else None,
        "layer": parse_layer(sae_id),
        "width": parse_width(entry.release, sae_id),
        "site": parse_site(entry.release, sae_id),
    }


def _power_of_two(number: int, unit: str) -> int | None:
    thousand = {"k": 1_000, "m": 1_000_000}[unit]
    binary = {"k": 2**10, "m": 2**20}[unit]
    powers = (2**exponent for exponent in range(8, 25))
    return next((power for power in powers if number in (power // thousand, power / binary)), None)


def _matches(names: pd.Series, patterns: list[str]) -> pd.Series:
    return names.map(lambda name: any(fnmatchcase(name, pattern) for pattern in patterns))
