"""DVC's words on a remote, and what they mean."""

import pytest

from sbw.run.cluster.faults import explain, last_lines


@pytest.mark.parametrize(
    ("printed", "cause"),
    [
        ("ERROR: failed to push data to the cloud - Unable to locate credentials", "its credentials are missing: set"),
        ("ERROR: unexpected error - An error occurred (InvalidAccessKeyId)", "it refuses the credentials"),
        ('ERROR: Could not connect to the endpoint URL: "http://localhost:1/b"', "it can't be reached"),
        ("ERROR: unexpected error - The specified bucket does not exist: b", "its bucket does not exist"),
        ("ERROR: unexpected error - [Errno 28] No space left on device", "it is full"),
        ("ERROR: s3 is supported, but requires 'dvc-s3' to be installed", "DVC's plug-in for it is not installed"),
        ("ERROR: config file error: no remote specified in .dvc/config", "there is no default one"),
    ],
)
def test_a_known_fault_is_named_beside_dvcs_own_words(printed: str, cause: str) -> None:
    explained = explain(f"Collecting\n{printed}\nHaving any troubles?")
    assert explained.startswith(cause)
    assert explained.endswith(f"(DVC says: {printed})")


def test_an_unknown_fault_is_told_in_dvcs_words() -> None:
    assert explain("ERROR: something else\nhint") == "DVC says: ERROR: something else"
    assert explain("") == "DVC says: nothing"


def test_the_end_of_a_log_is_without_bars_and_empty_lines() -> None:
    assert last_lines("first\n  1%\r 50%\r100% done\n\nlast  \n", 2) == "100% done\nlast"
