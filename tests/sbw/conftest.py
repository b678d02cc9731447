"""The main toy, which many tests stand on."""

import pytest

from sbw.run.loading import load_params
from sbw.synthesis.laws import build_toy
from sbw.toy.model import Toy
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def toy() -> Toy:
    return build_toy(load_params(ROOT).toys["main"])
