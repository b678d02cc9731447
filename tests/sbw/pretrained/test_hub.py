"""SAEs of SAELens's directory are chosen by patterns, and said with their size before they are fetched."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from sbw.auditing.audit import audit
from sbw.pretrained.hub import announce, in_directory
from sbw.pretrained.listed import Listed
from sbw.run.errors import UserError

HUB = "gemma-scope-2b-pt-res-canonical/layer_12/width_16k/canonical"
FOLDER = "layer_12/width_16k/average_l0_82"


def test_patterns_choose_from_the_directory() -> None:
    (one,) = in_directory([HUB])
    assert one == Listed(HUB, None, one.l0)
    canonical = in_directory(["gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_*"])
    assert sorted(sae.l0 for sae in canonical if sae.l0) == [22, 41, 82, 176, 445]


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"no SAE of SAELens's directory matches 'gemma/none'"):
        in_directory(["gemma/none"])


class Hub(BaseHTTPRequestHandler):
    """Lists the files of any repository."""

    def do_GET(self) -> None:
        files = {f"{FOLDER}/params.npz": 3_000_000, f"{FOLDER}0/params.npz": 50_000_000, "README.md": 7}
        tree = [{"type": "file", "path": path, "size": size, "oid": "0"} for path, size in files.items()]
        self.send_response(200 if "/tree/" in self.path else 404)
        self.end_headers()
        self.wfile.write(json.dumps(tree).encode() if "/tree/" in self.path else b"")

    def log_message(self, *_: object) -> None:
        """Keep silent."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, daemon=True).start()
        yield "127.0.0.1"
        server.shutdown()


@pytest.mark.usefixtures("hub")
def test_what_is_fetched_is_said_with_its_size(capsys: pytest.CaptureFixture[str]) -> None:
    announce([Listed(f"gemma-scope-2b-pt-res/{FOLDER}", None, 82)])
    said = "audit: fetching from google/gemma-scope-2b-pt-res what is not in the cache: 1 SAEs, 3 MB\n"
    assert capsys.readouterr().err == said


def test_without_the_hub_an_audit_says_what_to_download(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=f"no SAE can be judged; {HUB}: .* download .*/average_l0_.* of google/gemma"):
        audit(hub=[HUB])
    assert "1 SAEs, size unknown, since the hub cannot be asked" in capsys.readouterr().err
