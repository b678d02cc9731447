"""Tables keep their types and descriptions, and the same data gives the same bytes."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sbw.files import column, folder_of, load_table, save_table

SCHEMA = pa.schema([column("n", pa.int64(), "a count"), column("x", pa.float64(), "in metres")])


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


def test_another_name_of_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    save_table(pd.DataFrame({"length": [0.5]}), pa.schema([column("length", pa.float64(), "in metres")]), path)
    path.write_bytes(path.read_bytes().replace(b"length", b"lengti"))
    assert pq.read_table(path, page_checksum_verification=True).column_names == ["lengti"], "Parquet would take it"
    with pytest.raises(ValueError, match=r"a\.parquet is not what was written"):
        load_table(path)


def test_a_table_of_another_maker_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"n": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet is not what was written"):
        load_table(tmp_path / "a.parquet")


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ValueError, match=r"broken\.parquet is not a readable Parquet table"):
        load_table(tmp_path / "broken.parquet")


def test_folders_are_named_as_ever_and_no_two_values_share_one() -> None:
    assert folder_of({"k": 9.0, "seed": 0}) == folder_of({"k": 9, "seed": 0}) == "k=9/seed=0"
    assert folder_of({"rho": -0.5, "k": 1.8}) == "rho=-0.5/k=1.8"
    assert folder_of({"l0_coefficient": 0.05, "samples": 15_000_000}) == "l0_coefficient=0.05/samples=15000000"
    values = [1.2345678, 1.23456781, 1e-05, 1.0000001, 1, 10_000_000_000, 10_000_000_001, 2**53 - 1, 2**53 - 2]
    assert len({folder_of({"seed": value}) for value in values}) == len(values)
