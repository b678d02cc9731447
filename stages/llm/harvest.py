"""Harvest the model's activations on the training texts into data/llm/activations, and measure size and speed."""

import time
from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole, whole_folder, write_json
from sbw.run.stage import run

CORPUS = Path("data/llm/corpus/train")


def main(llm: Llm) -> None:
    from sbw.llm.activations import harvest, open_store
    from sbw.llm.model import load_model, require_hook

    model = load_model(Path("data/llm/model"), llm.model_class, llm.dtype)
    require_hook(model, llm.hook, "hook")
    store = open_store(model, CORPUS, llm.hook, llm.context_size, llm.harvest.batch_size)
    with whole_folder(Path("data/llm/activations")) as folder, whole(Path("data/metrics/llm/harvest.json")) as path:
        begun = time.perf_counter()
        harvest(model, store, llm.harvest.tokens, llm.harvest.batch_size, folder)
        seconds = time.perf_counter() - begun
        size = sum(shard.stat().st_size for shard in folder.iterdir())
        numbers = {
            "tokens": llm.harvest.tokens,
            "dtype": str(model.cfg.dtype).removeprefix("torch."),
            "seconds": round(seconds, 1),
            "tokens_per_second": round(llm.harvest.tokens / seconds),
            "bytes_per_token": round(size / llm.harvest.tokens, 1),
        }
        write_json(numbers, path)
    print(", ".join(f"{name} {value}" for name, value in numbers.items()))


if __name__ == "__main__":
    run(main, __doc__, Llm)
