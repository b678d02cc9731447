"""The API is what docs/api.md lists; its examples run, and importing it loads no library."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sbw
from tests.conftest import ROOT

PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    examples = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "docs/api.md", "docs/api.md", 0)
    assert len(test.examples) > 15
    found: list[str] = []
    doctest.DocTestRunner().run(test, out=found.append)
    assert not found, "".join(found)


def test_the_page_lists_every_name() -> None:
    assert {*re.findall(r"^\| \[`sbw\.(\w+)`\]", PAGE, flags=re.MULTILINE)} == {*sbw.__all__}
    assert {*re.findall(r"^\| `(\w+)`", PAGE, flags=re.MULTILINE)} == {*sbw.metrics.__all__}


@pytest.mark.parametrize("package", [sbw, sbw.metrics])
def test_every_name_is_found_and_has_a_docstring(package: object) -> None:
    for name in package.__all__:
        assert getattr(package, name).__doc__, name


def test_a_name_that_is_not_offered_is_refused() -> None:
    with pytest.raises(AttributeError, match="No sbw attribute nothing"):
        _ = sbw.nothing


def test_importing_loads_no_library() -> None:
    libraries = "('torch', 'pandas', 'numpy', 'sae_lens', 'dvc', 'pydantic')"
    code = f"import sys, sbw, sbw.metrics; print([name for name in {libraries} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
