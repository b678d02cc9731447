"""Check params.yaml, as every stage does before it begins, and run nothing."""

from sbw.params import Params
from stages.cli import run


def main(params: Params) -> None:
    print(f"params.yaml is valid: k = {params.k:g}, toys {', '.join(params.toys)}")


if __name__ == "__main__":
    run(main, __doc__)
