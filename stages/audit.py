"""Which of somebody's SAEs has the right L0? Their decoder metrics, and a verdict for each kind of SAE among them."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole_folder, write_json
from sbw.run.stage import run


def main(params: Params) -> None:
    from sbw.files import save_table
    from sbw.pretrained.listed import in_folder
    from sbw.verdict.audit import AGREEMENTS, AUDIT, audit, in_directory
    from sbw.verdict.evidence import audit_verdicts

    listed = in_folder(Path(params.audit.folder)) + in_directory(params.audit.hub)
    saes, agreements = audit(listed)
    verdicts = audit_verdicts(saes, agreements, params.recommend.seed)
    with whole_folder(Path("data/metrics/audit")) as folder:
        save_table(saes, AUDIT, folder / "saes.parquet")
        save_table(agreements, AGREEMENTS, folder / "agreements.parquet")
        write_json(verdicts, folder / "verdicts.json")
    print(saes[["sae", "l0", "c_dec", "c_dec_over_null"]].to_string(index=False, float_format="%.4g"))
    for family, verdict in verdicts.items():
        print(f"\n{family}")
        for said in [*verdict.get("metrics", {}).values(), verdict]:
            print(said["said"])


if __name__ == "__main__":
    run(main, __doc__)
