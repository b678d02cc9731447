"""A file that was cut, garbled or lost a bit is refused by its name, or still is what was written: nothing else."""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from sbw.files import load_table, load_tensors, read_json, save_table
from sbw.run.loading import load_params
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.untrained import initial_sae
from sbw.synthesis.laws import build_toy
from sbw.toy.generators import seeded
from sbw.toy.model import load_toy, save_sample, save_toy
from tests.conftest import ROOT, Clone
from tests.pipeline.test_bad_input import outputs

FILES = {False: 40, True: 500}
REPAIRS = {False: 2, True: 30}


def _sae(path: Path) -> tuple[Any, ...]:
    sae = load_sae(path.parent)
    return sae.cfg.architecture(), sae.cfg.d_in, sae.cfg.d_sae, dict(sae.state_dict())


def _model(path: Path) -> dict[str, Any]:
    toy = load_toy(path.parent.parent)
    return {"vectors": toy.features.feature_vectors, "acts": toy.sample(10, seeded(0))}


KINDS: dict[str, Callable[[Path], Any]] = {
    "toy/toy.safetensors": load_tensors,
    "model/synthetic_model/synthetic_model.safetensors": _model,
    "model/synthetic_model/synthetic_model_config.json": _model,
    "toy/sample.safetensors": load_tensors,
    "sae/cfg.json": _sae,
    "sae/sae_weights.safetensors": _sae,
    "saes.parquet": load_table,
    "params.yaml": lambda path: bool(load_params(path.parent)),  # another value is a user's to choose
}


@pytest.fixture(scope="module")
def written(undisturbed: Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of each kind."""
    root = tmp_path_factory.mktemp("written")
    toy = build_toy(load_params(ROOT).toys["main"])
    (root / "toy").mkdir()
    save_toy(toy, root / "toy")
    save_sample(toy.sample(100, seeded(0)), root / "toy")
    (root / "model").mkdir()
    save_toy(build_toy(load_params(ROOT).toys["five"]), root / "model")
    save_sae(initial_sae(5, 100, 50, 0), root / "sae")
    table = undisturbed.root / "data/metrics/sweep/saes.parquet"
    save_table(load_table(table), pq.read_schema(table), root / "saes.parquet")
    shutil.copy(ROOT / "params.yaml", root / "params.yaml")
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_no_loader_takes_a_damaged_file_for_another(kind: str, written: Path, tmp_path: Path, torture: bool) -> None:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    path, load, draw = tmp_path / kind, KINDS[kind], random.Random(kind)
    whole, expected = path.read_bytes(), load(path)
    named = path.parent if path.parent.name in ("sae", "synthetic_model") else path
    found = Counter(_outcome(path, _damage(whole, draw), load, expected, named) for _ in range(FILES[torture]))
    assert set(found) <= {"refused", "harmless"}
    assert found["refused"] > FILES[torture] / 2
    print(f"{kind}: {dict(found)}")


def _outcome(path: Path, content: bytes, load: Callable[[Path], Any], expected: Any, named: Path) -> str:
    path.write_bytes(content)
    try:
        loaded = load(path)
    except (ValueError, OSError) as error:
        return "refused" if str(named) in str(error) else f"refused without its name: {error}"
    return "harmless" if _same(loaded, expected) else f"taken for another: {loaded}"


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


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, pd.DataFrame):
        return a.equals(b)
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return all(map(_same, a, b))
    return bool(a == b)


def test_json_is_named_where_it_is_broken_or_lacks_a_key(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    path.write_text('{"toy": {"l0": 1}}')
    with pytest.raises(ValueError, match=r"stats\.json has no `true_l0`"):
        read_json(path)["toy"]["true_l0"]
    path.write_bytes(b'{"toy": "\xff"}')
    with pytest.raises(ValueError, match=r"stats\.json is not a readable JSON file"):
        read_json(path)


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
