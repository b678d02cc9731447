"""List the SAEs of SAELens's directory whose release and id match, and evaluate none."""

from sbw.params import Llm
from stages.cli import run


def main(_: Llm, release: str, sae_id: str) -> None:
    from sbw.llm.subjects import matching

    print(matching(release, sae_id).to_string(float_format="%.4g"))


if __name__ == "__main__":
    run(main, __doc__, Llm, release="regular expression of releases", sae_id="regular expression of SAEs in them")
