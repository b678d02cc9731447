"""DVC's messages about a remote, and their causes."""

import pytest

from sbw.run.cluster.faults import explain, last_lines


@pytest.mark.parametrize(
    ("printed", "cause"),
    [
        ("ERROR: unexpected error - An error occurred (InvalidAccessKeyId)", "it refuses the credentials"),
        ("ERROR: unexpected error - The specified bucket does not exist: b", "its bucket does not exist"),
        ("ERROR: s3 is supported, but requires 'dvc-s3' to be installed", "DVC's plug-in for it is not installed"),
        ("ERROR: config file error: no remote specified in .dvc/config", "there is no default one"),
    ],
)
def test_a_known_fault_is_named_beside_dvcs_own_words(printed: str, cause: str) -> None:
    explained = explain(f"Collecting\n{printed}\nHaving any troubles?")
    assert explained.startswith(cause)
    assert explained.endswith(f"(DVC printed: {printed})")


def test_an_unknown_fault_is_in_dvcs_words() -> None:
    assert explain("ERROR: something else\nhint") == "DVC printed: ERROR: something else"
    missing = "ERROR: Missing cache files: md5: 5403abce507d"
    assert explain(missing) == f"DVC printed: {missing}"
    assert explain("") == "DVC printed: nothing"


def test_the_end_of_a_log_is_without_bars_and_empty_lines() -> None:
    assert last_lines("first\n  1%\r 50%\r100% done\n\nlast  \n", 2) == "100% done\nlast"
