"""A file that was cut, garbled or lost a bit is refused by its name, or read as one that can be used: nothing else."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from sbw.files import load_table, save_table
from sbw.run.errors import UserError
from sbw.run.loading import load_params
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.untrained import initial_sae
from sbw.synthesis.laws import build_toy
from sbw.toy.generators import seeded
from sbw.toy.model import load_sample, load_toy, save_sample, save_toy
from tests.conftest import ROOT, Clone
from tests.pipeline.test_bad_input import outputs

FILES = {False: 40, True: 500}
REPAIRS = {False: 2, True: 30}


def _sae(path: Path) -> None:
    sae = load_sae(path.parent)
    sae.decode(sae.encode(torch.ones(2, 100)))


def _stream(folder: Path) -> None:
    next(load_toy(folder).stream(10, seeded(0)))


KINDS: dict[str, Callable[[Path], Any]] = {
    "toy/toy.safetensors": lambda path: _stream(path.parent),
    "model/synthetic_model/synthetic_model.safetensors": lambda path: _stream(path.parents[1]),
    "model/synthetic_model/synthetic_model_config.json": lambda path: _stream(path.parents[1]),
    "toy/sample.safetensors": lambda path: load_sample(load_toy(path.parent), path.parent),
    "sae/cfg.json": _sae,
    "sae/sae_weights.safetensors": _sae,
    "saes.parquet": load_table,
    "params.yaml": lambda path: load_params(path.parent),
}


@pytest.fixture(scope="module")
def written(undisturbed: Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of each kind."""
    root = tmp_path_factory.mktemp("written")
    toy = build_toy(load_params(ROOT).toys["main"])
    (root / "toy").mkdir()
    save_toy(toy, root / "toy")
    save_sample(toy.observe(100, seeded(0)), toy, root / "toy")
    (root / "model").mkdir()
    save_toy(build_toy(load_params(ROOT).toys["five"]), root / "model")
    save_sae(initial_sae(5, 100, 50, 0), root / "sae")
    table = undisturbed.root / "data/metrics/sweep/saes.parquet"
    save_table(load_table(table), pq.read_schema(table), root / "saes.parquet")
    shutil.copy(ROOT / "params.yaml", root / "params.yaml")
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_by_its_name_or_can_be_used(
    kind: str, written: Path, tmp_path: Path, torture: bool
) -> None:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    path, load, draw = tmp_path / kind, KINDS[kind], random.Random(kind)
    content, refusals = path.read_bytes(), []
    load(path)
    for _ in range(FILES[torture]):
        path.write_bytes(_damage(content, draw))
        try:
            load(path)
        except UserError as error:
            refusals.append(str(error))
    assert refusals
    assert all(str(tmp_path / kind.split("/")[0]) in refusal for refusal in refusals)
    print(f"{kind}: {len(refusals)} of {FILES[torture]} refused")


def _damage(whole: bytes, draw: random.Random) -> bytes:
    content, at = bytearray(whole), draw.randrange(len(whole))
    match draw.choice(["bit", "bit in the header", "bit in the footer", "cut", "garbled", "zeroed"]):
        case "bit":
            content[at] ^= 1 << draw.randrange(8)
        case "bit in the header":
            content[draw.randrange(min(600, len(content)))] ^= 1 << draw.randrange(8)
        case "bit in the footer":
            content[-1 - draw.randrange(min(1500, len(content)))] ^= 1 << draw.randrange(8)
        case "cut":
            content = content[:at]
        case "garbled":
            content[at : at + 8] = draw.randbytes(8)
        case "zeroed":
            content[at : at + 64] = bytes(64)
    return bytes(content)


def test_what_dvc_tracks_is_repaired(reproduced: Clone, torture: bool) -> None:
    before, draw = outputs(reproduced), random.Random(0)
    tracked = [name for name in sorted(before) if "/data/" in name and Path(name).stat().st_size]
    for name in draw.choices(tracked, k=REPAIRS[torture]):
        path = Path(name)
        path.chmod(0o644)
        path.write_bytes(_damage(path.read_bytes(), draw))
        reproduced.dvc("repro")
        assert outputs(reproduced) == before, name
    print(f"{REPAIRS[torture]} files repaired")
