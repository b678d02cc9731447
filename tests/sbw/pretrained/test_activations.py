"""Activations are streamed from every format as they were written, or refused by their file's name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sbw.pretrained.activations import read_activations, width_of
from sbw.run.errors import UserError
from sbw.toy.generators import seeded

X = torch.randn(11, 3, generator=seeded(0))
Write = Callable[[Path, Tensor], Any]


def lists(path: Path, x: Tensor, kind: pa.DataType | None = None) -> None:
    values = pa.array(x.tolist(), type=kind or pa.list_(pa.float32()))
    table = pa.table({"id": pa.array([str(i) for i in range(len(x))]), "x": values})
    pq.write_table(table, path, row_group_size=4)


FORMATS: dict[str, tuple[str, Write]] = {
    "safetensors": ("x.safetensors", lambda path, x: save_file({"x": x.clone()}, path)),
    "npy": ("x.npy", lambda path, x: np.save(path, x.numpy())),
    "npy in the order of Fortran": ("x.npy", lambda path, x: np.save(path, np.asfortranarray(x.numpy()))),
    "npy of double precision, the other way round": ("x.npy", lambda path, x: np.save(path, x.numpy().astype(">f8"))),
    "npz": ("x.npz", lambda path, x: np.savez(path, x=x.numpy())),
    "npz, compressed": ("x.npz", lambda path, x: np.savez_compressed(path, x=x.numpy())),
    "npz in the order of Fortran": ("x.npz", lambda path, x: np.savez(path, x=np.asfortranarray(x.numpy()))),
    "Parquet of lists": ("x.parquet", lists),
    "Parquet of large lists": ("x.parquet", lambda path, x: lists(path, x, pa.large_list(pa.float64()))),
    "Parquet of lists of a fixed size": ("x.parquet", lambda path, x: lists(path, x, pa.list_(pa.float32(), 3))),
    "Parquet of columns": (
        "x.parquet",
        lambda path, x: pd.DataFrame(x.numpy(), columns=["b", "a", "c"]).to_parquet(path),
    ),
}


@pytest.mark.parametrize("rows", [None, 0, 1, 7, 11, 50])
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_streamed_as_it_was_written(name: str, rows: int | None, tmp_path: Path) -> None:
    file, write = FORMATS[name]
    write(tmp_path / file, X)
    chunks = list(read_activations(tmp_path / file, rows, chunk=4))
    assert all(len(x) <= 4 and x.dtype == torch.float32 for x in chunks)
    assert torch.equal(torch.cat([torch.empty(0, 3), *chunks]), X[:rows])


@pytest.mark.parametrize("name", FORMATS)
def test_the_width_is_known_by_one_row(name: str, tmp_path: Path) -> None:
    file, write = FORMATS[name]
    write(tmp_path / file, X)
    assert width_of(tmp_path / file) == 3


def test_an_index_of_pandas_is_no_dimension(tmp_path: Path) -> None:
    pd.DataFrame(X.numpy(), columns=["0", "1", "2"], index=[i * i for i in range(11)]).to_parquet(
        tmp_path / "x.parquet"
    )
    (x,) = read_activations(tmp_path / "x.parquet")
    assert torch.equal(x, X)


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    save_file({"x": X.bfloat16()}, tmp_path / "x.safetensors")
    (x,) = read_activations(tmp_path / "x.safetensors")
    assert torch.equal(x, X.bfloat16().float())


def test_shards_are_read_in_the_order_of_their_numbers_and_what_is_none_is_passed_over(tmp_path: Path) -> None:
    np.save(tmp_path / "x_10.npy", X[8:].numpy())
    save_file({"a": X[:4].clone()}, tmp_path / "x_2.safetensors")
    lists(tmp_path / "x_9.parquet", X[4:8])
    (tmp_path / "README.md").write_text("activations")
    np.save(tmp_path / ".x_1.npy", X.numpy())
    assert torch.equal(torch.cat(list(read_activations(tmp_path))), X)
    assert torch.equal(torch.cat(list(read_activations(tmp_path, rows=6, chunk=3))), X[:6])


def test_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "x_0.npy", X.numpy())
    (tmp_path / "x_1.npy").write_bytes(b"broken")
    assert len(torch.cat(list(read_activations(tmp_path, rows=11, chunk=4)))) == 11
    with pytest.raises(UserError, match=r"x_1\.npy is not a readable \.npy file of activations"):
        list(read_activations(tmp_path, rows=12))


def test_shards_of_another_width_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X.numpy())
    np.save(tmp_path / "b.npy", X[:, :2].numpy())
    with pytest.raises(UserError, match=r"b\.npy must hold activations of width 3, as .*a\.npy does, got 2$"):
        list(read_activations(tmp_path))


BAD: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "two tensors": ("x.safetensors", lambda path: save_file({"b": X.clone(), "a": X.clone()}, path),
                    "must hold one tensor, got 2: a, b"),
    "two arrays": ("x.npz", lambda path: np.savez(path, a=X.numpy(), b=X.numpy()),
                   "must hold one array, got 2: a.npy, b.npy"),
    "no matrix": ("x.npy", lambda path: np.save(path, X[0].numpy()), r"must hold a matrix .* got the shape \[3\]"),
    "three sides": ("x.safetensors", lambda path: save_file({"x": X[None].clone()}, path), r"the shape \[1, 11, 3\]"),
    "pickled objects": ("x.npy", lambda path: np.save(path, np.array([[{}]]), allow_pickle=True),
                        "must hold numbers, got `object`"),
    "complex": ("x.npz", lambda path: np.savez(path, x=X.numpy() * 1j), "must hold numbers, got `complex64`"),
    "truth values": ("x.safetensors", lambda path: save_file({"x": X > 0}, path), "must hold numbers, got `bool`"),
    "NaN": ("x.npy", lambda path: np.save(path, X.numpy() * np.nan), "holds NaN or Inf in `activations`"),
    "too large": ("x.npy", lambda path: np.save(path, X.double().numpy() * 1e300), "holds NaN or Inf"),
    "lists of two lengths": (
        "x.parquet", lambda path: pq.write_table(pa.table({"x": [[1.0], [1.0, 2.0]]}), path),
        "must have a list of the same length in every row of `x`, got 1, 2"),
    "a missing list": ("x.parquet", lambda path: pq.write_table(pa.table({"x": [[1.0], None]}), path), "got 1, None"),
    "a missing number": ("x.parquet", lambda path: pq.write_table(pa.table({"x": [[1.0], [None]]}), path),
                         "NaN or Inf"),
    "two columns of lists": ("x.parquet", lambda path: pq.write_table(pa.table({"x": [[1.0]], "y": [[1.0]]}), path),
                             "must hold one column of lists, got 2: x, y"),
    "words": ("x.parquet", lambda path: pq.write_table(pa.table({"x": [1.0], "y": ["a"]}), path),
              r"or columns of numbers alone, got x \(double\), y \(string\)"),
    "another format": ("x.csv", lambda path: path.write_text("1,2"), "must be of .safetensors, .npy, .npz, .parquet,"),
    "bytes": ("x.npz", lambda path: path.write_bytes(b"broken"), "is not a readable .npz file of activations"),
    "a pointer of Git LFS": ("x.npy", lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"),
                             "is a pointer of Git LFS"),
    "cut off": ("x.npz", lambda path: path.write_bytes(b"PK\3\4" + bytes(40)), "is not a readable .npz"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_activations_is_refused_by_its_file(name: str, tmp_path: Path) -> None:
    file, write, cause = BAD[name]
    write(tmp_path / file)
    with pytest.raises(UserError, match=f"{file} .*{cause}") as refused:
        list(read_activations(tmp_path / file))
    assert "\n" not in str(refused.value)


def test_a_missing_path_an_empty_folder_and_a_file_without_rows_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        list(read_activations(tmp_path / "x.npy"))
    assert missing.value.filename == str(tmp_path / "x.npy")
    with pytest.raises(UserError, match=r"holds no activations: no file in it is of \.safetensors, "):
        list(read_activations(tmp_path))
    np.save(tmp_path / "x.npy", np.zeros((0, 3), dtype=np.float32))
    assert list(read_activations(tmp_path / "x.npy")) == []
    with pytest.raises(UserError, match=r"x\.npy holds no activations: it has no rows"):
        width_of(tmp_path / "x.npy")
