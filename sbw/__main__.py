"""Which L0 of a sparse autoencoder is right? One verb per question."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from sbw.run.errors import UserError
from sbw.run.stage import one_line_errors


def main() -> None:
    """Run the verb that the command line names."""
    parser = argparse.ArgumentParser(prog="sbw", description=__doc__)
    _add_verbs(parser.add_subparsers(metavar="verb", required=True))
    arguments = vars(parser.parse_args())
    call: Callable[..., None] = arguments.pop("call")
    with one_line_errors("sbw"):
        call(**arguments)


def _add_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    _add_audit(verbs)

    verb = verbs.add_parser("check", help="check params.yaml, and remove a lock of DVC that a kill has cut off")
    verb.set_defaults(call=_check)

    verb = verbs.add_parser("cluster", help="run the stale cells of some groups of stages on a Ray cluster")
    verb.set_defaults(call=_cluster)
    verb.add_argument("groups", nargs="+", metavar="group", help="as DVC names them: sweep, experiment@jumprelu")
    verb.add_argument("--address", default="auto", help="of the Ray cluster (default: the one this machine is part of)")
    verb.add_argument("--dry", action="store_true", help="print what would run where, and run nothing")

    verb = verbs.add_parser("matches", help="list the SAEs of SAELens's directory whose release and id match")
    verb.set_defaults(call=_matches)
    verb.add_argument("release", help="regular expression of releases")
    verb.add_argument("sae_id", help="regular expression of SAEs in them")


def _add_audit(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser(
        "audit",
        help="say which of some SAEs have the right L0",
        description="Prints one row per SAE and one verdict per family of SAEs. Without --activations or --texts they "
        "are judged by their decoders alone; with them by all evidence, which is better. The L0 of an SAE is the "
        "measured one, else that of its metadata, else its k, else the one in its folder's name, as in l0_57. "
        "SAEs of SAELens, sparsify, dictionary_learning, Gemma Scope, Llama Scope, OpenMOSS, Qwen-Scope, OpenAI and "
        "Goodfire are read. The exit status is 1 where an SAE is left out of the verdicts.",
    )
    verb.set_defaults(call=_audit)
    options = {
        "--activations": "a file of activations, one per row, or a folder of shards: safetensors, npy, npz, Parquet",
        "--texts": "a file or folder of texts (txt, jsonl, Parquet), which the SAEs' model reads instead",
        "--model": "for --texts: smollm2, a folder, or a name on the Hugging Face hub (default: the SAEs' own)",
        "--hook": "for --texts: where activations are taken, as TransformerLens names it (default: the SAEs' own)",
    }
    paths = "a folder of SAEs, at any depth; or a pattern of SAEs on the Hugging Face hub, 'release/sae_id*'"
    verb.add_argument("paths", nargs="+", metavar="PATH", help=paths)
    for option, text in options.items():
        verb.add_argument(option, metavar="NAME" if option in ("--model", "--hook") else "PATH", help=text)
    verb.add_argument("--rows", type=int, help="at most so many activations (default: all, or 100,000 tokens of texts)")
    verb.add_argument("--out", type=Path, metavar="FOLDER", help="write tables, verdicts.json, a figure and a page")
    verb.add_argument("--json", action="store_true", help="print JSON")


def _audit(paths: list[str], out: Path | None, json: bool, **options: Any) -> None:
    from json import dumps

    from sbw.auditing.audit import audit

    hub = [path for path in paths if not Path(path).exists()]
    for path in hub:
        if not any(letter in path for letter in "*?["):
            raise UserError(f"{path}: not found; SAEs on the Hugging Face hub are named by a pattern, as in '{path}*'")
    if out:
        _require_folder(out)
    found = audit(*(path for path in paths if path not in hub), hub=hub, **options)
    print(dumps(found.document, indent=2) if json else found.words, flush=True)
    if out:
        found.save(out)
    if found.left_out:
        sys.exit(1)


def _require_folder(out: Path) -> None:
    """Refuse, before any work, a folder that cannot be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UserError(f"--out: {out} cannot be written to: {error.strerror}") from error


def _check() -> None:
    from sbw.run.check import check

    check(Path())


def _cluster(groups: list[str], address: str, dry: bool) -> None:
    from sbw.run.cluster.command import cluster

    try:
        cluster(groups, address, dry)
    except ModuleNotFoundError as error:
        raise UserError(f"{error}; `pip install --no-deps -r requirements-cluster.txt` installs it") from error
    except KeyboardInterrupt:
        print("\nfinished cells are in the remote, and the same command goes on", file=sys.stderr)
        raise


def _matches(release: str, sae_id: str) -> None:
    from sbw.llm.subjects import matching

    print(matching(release, sae_id).to_string(float_format="%.4g"))


if __name__ == "__main__":
    main()
