"""Tables keep their types and descriptions; the same data gives the same bytes; what cannot be read is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from sbw.files import column, folder_of, load_table, load_tensors, read_json, save_table
from sbw.run.errors import UserError

SCHEMA = pa.schema([column("n", pa.int64(), "a count"), column("x", pa.float64(), "in metres")])
LOADERS = [(load_table, "Parquet table"), (load_tensors, "safetensors file"), (read_json, "JSON file")]


def test_round_trip_keeps_types_descriptions_and_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "x": [0.5, None]}, index=[7, 8])
    for name in ("a", "b"):
        save_table(frame, SCHEMA, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pq.read_schema(tmp_path / "a").field("x").metadata[b"description"] == b"in metres"
    assert load_table(tmp_path / "a")["n"].isna().tolist() == [False, True]


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the columns must be \['n', 'x'\], got \['x'\]"):
        save_table(pd.DataFrame({"x": [1.0]}), SCHEMA, tmp_path / "a")


def test_a_table_of_another_program_is_read(tmp_path: Path) -> None:
    pd.DataFrame({"n": [1]}).to_parquet(tmp_path / "a.parquet")
    assert load_table(tmp_path / "a.parquet")["n"].tolist() == [1]


@pytest.mark.parametrize(("load", "form"), LOADERS)
@pytest.mark.parametrize("content", [b"PAR1 nothing", b'{"toy": "\xff"}', b"[1]", b""])
def test_what_cannot_be_read_is_named(load: Callable[[Path], Any], form: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(UserError, match=rf"broken is not a readable {form}: ."):
        load(tmp_path / "broken")


@pytest.mark.parametrize("load", [load for load, _ in LOADERS])
def test_a_missing_file_is_named(load: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        load(tmp_path / "nowhere")
    assert missing.value.filename == str(tmp_path / "nowhere")


def test_a_tensor_that_is_not_finite_is_named(tmp_path: Path) -> None:
    save_file({"fine": torch.ones(2), "spoilt": torch.tensor([1, torch.inf])}, tmp_path / "a")
    with pytest.raises(UserError, match="a holds NaN or Inf in `spoilt`"):
        load_tensors(tmp_path / "a")


def test_a_key_that_a_json_file_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "stats.json").write_text('{"toy": {"l0": 1}}')
    with pytest.raises(UserError, match=r"stats\.json has no `true_l0`"):
        read_json(tmp_path / "stats.json")["toy"]["true_l0"]


def test_folders_are_named_as_ever_and_no_two_values_share_one() -> None:
    assert folder_of({"k": 9.0, "seed": 0}) == folder_of({"k": 9, "seed": 0}) == "k=9/seed=0"
    assert folder_of({"rho": -0.5, "k": 1.8}) == "rho=-0.5/k=1.8"
    assert folder_of({"l0_coefficient": 0.05, "samples": 15_000_000}) == "l0_coefficient=0.05/samples=15000000"
    values = [1.2345678, 1.23456781, 1e-05, 1.0000001, 1, 10_000_000_000, 10_000_000_001, 2**53 - 1, 2**53 - 2]
    assert len({folder_of({"seed": value}) for value in values}) == len(values)
