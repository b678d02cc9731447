"""Check that every file that pip installed is one that requirements.sha256 lists.

pip's own `--require-hashes` cannot: torch has another build, and other companions, on every index. The Makefile asks
this as it makes the environment, before any of its packages is imported; hence the standard library alone.

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
COMPANIONS = re.compile(r"(nvidia|cuda)-.*|triton")
"""What torch's builds for GPUs ask for; which of them, and which versions, differs from index to index."""


def main(report: Path) -> None:
    files = [_described(item) for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
    listed = {line.split()[0] for line in LISTED.read_text(encoding="utf-8").splitlines()}
    strange = [file for file in files if file[1] not in listed]
    if refused := [file for file in strange if not COMPANIONS.fullmatch(file[0])]:
        lines = "".join(f"\n{digest}  {name}" for _, digest, name in refused)
        sys.exit(f"pip installed files that {LISTED} does not list; trust them, and add these lines, or do not:{lines}")
    if strange:
        print(
            f"not compared, as they come with torch's build for GPUs: {', '.join(package for package, _, _ in strange)}"
        )


def _described(item: dict[str, Any]) -> tuple[str, str, str]:
    """The package, the digest and the name of a file that pip installed."""
    info = item["download_info"]
    digest = info.get("archive_info", {}).get("hashes", {}).get("sha256", "unknown")
    return _normal(item["metadata"]["name"]), digest, unquote(info["url"].rpartition("/")[2])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
