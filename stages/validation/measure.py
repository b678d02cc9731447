"""Sweep L0 on a toy whose L0 is known and measure the SAEs: tables in a folder of the toy's name."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sbw.params import Params, Validation, load_document
from stages.cli import one_of, run, whole_folder


def main(_: Params, file: str, name: str, out: str) -> None:
    params = load_document(Validation, Path(file))
    one_of("toy", name, list(params.toys))

    import torch

    from sbw.evaluation import Subject, evaluate, save_tables
    from sbw.experiments.grid import cells
    from sbw.laws import build_toy
    from sbw.rng import seeded
    from sbw.saes import load_sae
    from sbw.toy import Sample
    from sbw.training import train_cells

    torch.set_num_threads(1)  # the last digits of the feature vectors depend on it
    toy = build_toy(params.toys[name], f"toys.{name}")
    planned = cells(params.grid(name), params.training, toy)
    with TemporaryDirectory() as folder:
        train_cells(planned, params.training, lambda cell: Path(folder, cell.folder), name)
        subjects = [Subject(load_sae(Path(folder, cell.folder)), "validation", name, cell.keys) for cell in planned]
    feature_acts = toy.sample(params.synthesize.eval_samples, seeded(params.synthesize.seed))
    tables = evaluate(subjects, toy, Sample(feature_acts, toy.embed(feature_acts)), bins=None)
    with whole_folder(Path(out, name)) as folder:
        save_tables(tables, folder)


if __name__ == "__main__":
    run(main, __doc__, file="its params", toy="name of the toy in its `toys`", out="folder of the toys' folders")
