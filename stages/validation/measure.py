"""Sweep L0 on a toy whose L0 is known and measure the SAEs: tables in data/validation/TOY."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sbw.params import Validation
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(params: Validation, name: str) -> None:
    training = params.sets[params.toys[one_of("toy", name, list(params.toys))].set].training

    import torch

    from sbw.lockstep.toys import train_planned
    from sbw.metrics.tables import Subject, evaluate, save_tables
    from sbw.saes.disk import load_sae
    from sbw.saes.experiments.grid import plan
    from sbw.synthesis.laws import build_toy
    from sbw.toy.generators import seeded
    from sbw.toy.model import Sample

    torch.set_num_threads(1)  # the last digits of the feature vectors depend on it
    toy = build_toy(params.toys[name], f"toys.{name}")
    planned = plan(params.grid(name), training, toy)
    with TemporaryDirectory() as folder:
        train_planned(planned, training, lambda sae: Path(folder, sae.folder), name)
        subjects = [Subject(load_sae(Path(folder, sae.folder)), "validation", name, sae.keys) for sae in planned]
    feature_acts = toy.sample(params.synthesize.eval_samples, seeded(params.synthesize.seed))
    tables = evaluate(subjects, toy, Sample(feature_acts, toy.embed(feature_acts)), bins=None)
    with whole_folder(Path("data/validation", name)) as folder:
        save_tables(tables, folder)


if __name__ == "__main__":
    run(main, __doc__, Validation, toy="name of the toy in `toys`")
