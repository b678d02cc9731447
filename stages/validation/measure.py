"""Sweep L0 on a toy whose L0 is known and measure the SAEs: tables in a folder of the toy's name."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sbw.params import Params, Validation
from sbw.run.loading import load_document
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(_: Params, file: str, name: str, out: str) -> None:
    params = load_document(Validation, Path(file))
    one_of("toy", name, list(params.toys))

    import torch

    from sbw.lockstep.toys import train_cells
    from sbw.metrics.tables import Subject, evaluate, save_tables
    from sbw.saes.disk import load_sae
    from sbw.saes.experiments.grid import cells
    from sbw.synthesis.laws import build_toy
    from sbw.toy.generators import seeded
    from sbw.toy.model import Sample

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
