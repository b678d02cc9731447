"""The causes of failed pushes and pulls, from what DVC prints."""

import re

CAUSES = {
    r"no remote specified|config file error: no remote": "there is no default one: `dvc remote add --default NAME URL`",
    r"unable to locate credentials|no credentials|nocredentialserror|credentials? (not found|were not)": (
        "its credentials are missing: set them where the machine looks for them, e.g. AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or `dvc config --global`"
    ),
    r"invalidaccesskeyid|signaturedoesnotmatch|accessdenied|forbidden|\b403\b|permission denied": (
        "it refuses the credentials, or they may not write"
    ),
    r"could not connect|connection ?refused|name or service not known|timed? ?out|unreachable|connectionerror|"
    r"cannot connect|connect call failed": "it can't be reached",
    r"nosuchbucket|bucket does not exist": "its bucket does not exist",
    r"no space left|disk quota|quotaexceeded|insufficientstorage|storagefull|\b507\b": "it is full",
    r"requires .*dvc\[|is supported, but requires": "DVC's plug-in for it is not installed on that machine",
}
"""Patterns of DVC's output, and their causes."""


def explain(printed: str) -> str:
    """The cause of a failed push or pull, if it is known, and DVC's first lines."""
    errors = [line for line in printed.splitlines() if line.startswith(("ERROR", "WARNING"))]
    lines = " ".join((errors or printed.strip().splitlines() or ["nothing"])[:3])
    cause = next((cause for pattern, cause in CAUSES.items() if re.search(pattern, printed, re.IGNORECASE)), None)
    return f"{cause} (DVC printed: {lines})" if cause else f"DVC printed: {lines}"


def last_lines(log: str, count: int = 15) -> str:
    """The end of a log, without progress bars."""
    lines = [line.rpartition("\r")[2].rstrip() for line in log.splitlines()]
    return "\n".join([line for line in lines if line][-count:])
