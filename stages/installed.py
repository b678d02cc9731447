"""Check that every file that pip installed is one that requirements.sha256 lists.

pip's own `--require-hashes` cannot: torch has another build, and other companions, on every index. The Makefile asks
this as it makes the environment, before anything of what was installed runs; hence the standard library alone.

Usage: python -m stages.installed REPORT, where REPORT is what `pip install --report` wrote.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

LISTED = Path("requirements.sha256")
"""Lines as `sha256sum` writes them: a digest and a file's name."""


def main(report: Path) -> None:
    files = [_described(item) for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
    locks = [
        line for lock in Path().glob("requirements*.txt") for line in lock.read_text(encoding="utf-8").splitlines()
    ]
    pinned = {_normal(line.partition("==")[0]) for line in locks if "==" in line}
    listed = {line.split()[0] for line in LISTED.read_text().splitlines()}
    strange = [file for file in files if file[0] in pinned and file[1] not in listed]
    if strange:
        lines = "".join(f"\n{digest}  {name}" for _, digest, name in strange)
        sys.exit(f"pip installed files that {LISTED} does not list; trust them, and add these lines, or do not:{lines}")
    beside = sorted({package for package, _, _ in files if package not in pinned})
    if beside:
        print(f"not in the lock, and not checked: {', '.join(beside)}")


def _described(item: dict[str, Any]) -> tuple[str, str, str]:
    """The package, the digest and the name of a file that pip installed."""
    info = item["download_info"]
    digest = info.get("archive_info", {}).get("hashes", {}).get("sha256", "unknown")
    return _normal(item["metadata"]["name"]), digest, unquote(info["url"].rpartition("/")[2])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
