"""Make a toy of params.yaml's `toys`, its tables, its statistics and a fixed evaluation sample, in data/toy/TOY."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole_folder, write_json
from sbw.run.stage import one_of, run


def main(params: Params, name: str) -> None:
    toy_params = params.toys[one_of("toy", name, list(params.toys))]

    import torch

    from sbw.files import save_table
    from sbw.synthesis.laws import build_toy
    from sbw.synthesis.statistics import CORRELATIONS, FEATURES, correlation_table, feature_table, toy_stats
    from sbw.toy.generators import seeded
    from sbw.toy.model import save_sample, save_toy

    torch.set_num_threads(1)  # the last digits of the feature vectors depend on it
    toy = build_toy(toy_params, f"toys.{name}")
    sample = toy.observe(params.synthesize.eval_samples, seeded(params.synthesize.seed))
    stats = toy_stats(toy, sample.feature_acts)
    with whole_folder(Path("data/toy", name)) as folder:
        save_toy(toy, folder)
        save_sample(sample, toy, folder)
        save_table(feature_table(toy, sample.feature_acts), FEATURES, folder / "features.parquet")
        save_table(correlation_table(toy), CORRELATIONS, folder / "correlations.parquet")
        write_json(toy_params.model_dump(), folder / "toy.json")
        write_json(stats, folder / "stats.json")
    print(f"{name}: true L0 {stats['true_l0']:.4f} on {len(sample.feature_acts)} samples, "
          f"the sum of the firing probabilities {stats['sum_of_firing_probabilities']:.4f}")  # fmt: skip


if __name__ == "__main__":
    run(main, __doc__, toy="name of the toy in `toys`")
