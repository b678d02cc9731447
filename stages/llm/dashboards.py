"""Write a page of sae-dashboard on the latents that `dashboards` names, into data/llm/dashboards."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.errors import UserError
from sbw.run.outputs import whole_folder
from sbw.run.stage import run

OUT = Path("data/llm")


def main(llm: Llm) -> None:
    from sbw.files import load_table
    from sbw.llm.activations import first_contexts, open_store
    from sbw.llm.dashboards import dashboard
    from sbw.llm.model import load_model
    from sbw.llm.wheel import label
    from sbw.saes.disk import load_sae

    focus, shown = llm.focus, llm.dashboards
    features = load_table(OUT / "features.parquet").query("sae == @focus").set_index("latent")
    firing = [latent for latent in shown.latents if features["feature_density"][latent] > 0]
    if not firing:
        raise UserError("`dashboards.latents`: none of them ever fires, choose others")
    model = load_model(OUT / "model", llm.model_class, llm.dtype, "cpu")  # where sae-dashboard puts the tokens
    store = open_store(model, OUT / "corpus/held_out", llm.hook, llm.context_size, shown.contexts)
    title = f"{focus}: {len(firing)} latents at {llm.hook} of {label(llm.model)}"
    contexts = first_contexts(store, shown.contexts, "dashboards.contexts")
    page = dashboard(load_sae(OUT / "sae" / focus), model, contexts, firing, title)
    with whole_folder(OUT / "dashboards") as folder:
        (folder / f"{focus}.html").write_text(page, encoding="utf-8")
    silent = [latent for latent in shown.latents if latent not in firing]
    print(f"latents {firing}; left out, since they never fire: {silent or 'none'}")


if __name__ == "__main__":
    run(main, __doc__, Llm)
