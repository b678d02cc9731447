"""Evaluate the trained SAEs, and those that `evals` names, with every metric of SAELens's evals."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole, write_json
from sbw.run.stage import run

OUT = Path("data/llm")


def main(llm: Llm) -> None:
    from sbw.files import save_table
    from sbw.llm.evals import EVALS, EVALS_OF_LATENTS, evals_summary, evaluate_saes
    from sbw.llm.model import load_model
    from sbw.llm.subjects import subjects

    found = subjects(OUT / "sae", llm.evals.folders, llm.evals.release, llm.evals.sae_id)
    model = load_model(OUT / "model", llm.model_class, llm.dtype, llm.device)
    evals, features = evaluate_saes(found, model, OUT / "corpus/held_out", llm.context_size, llm.evals)
    numbers = evals_summary(evals)
    with (
        whole(OUT / "evals.parquet") as table,
        whole(OUT / "features.parquet") as latents,
        whole(Path("data/metrics/llm/evals.json")) as path,
    ):
        save_table(evals, EVALS, table)
        save_table(features, EVALS_OF_LATENTS, latents)
        write_json(numbers, path)
    print(evals[["sae", "k", *next(iter(numbers.values()))]].to_string(index=False, float_format="%.4g"))


if __name__ == "__main__":
    run(main, __doc__, Llm)
