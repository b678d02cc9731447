"""Pages as a reader's browser shows them: opened in headless Chromium, with no network."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

# Asked of the page itself, once it has settled: what it threw, what it fetched, and what `script` answers.
ASKED = """
<script>
const thrown = [];
addEventListener("error", event => thrown.push(String(event.message)));
addEventListener("unhandledrejection", event => thrown.push(String(event.reason)));
const settled = () => new Promise(resolve => setTimeout(resolve, 1000));
addEventListener("load", async () => {
  await settled();
  let answer = null;
  try { answer = await (async () => { SCRIPT })(); } catch (error) { thrown.push(String(error)); }
  const fetched = performance.getEntriesByType("resource").map(entry => entry.name);
  const pre = document.createElement("pre");
  pre.id = "answer";
  pre.textContent = JSON.stringify({answer, thrown, fetched});
  document.body.append(pre);
});
</script>
"""


def asked(page: Path, script: str) -> tuple[Any, list[str]]:
    """What a script, the body of an async function, returns in the page, and what the page fetched.

    The page must throw nothing and print no error to the console.
    """
    assert CHROMIUM is not None
    copy = page.with_name(f"{page.stem}.asked.html")
    before, after = page.read_text(encoding="utf-8").rsplit("</body>", 1)  # its scripts may speak of others
    copy.write_text(f"{before}{ASKED.replace('SCRIPT', script)}</body>{after}", encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND",
               "--enable-logging=stderr", "--virtual-time-budget=30000", "--window-size=1300,2000", "--dump-dom",
               copy.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    match = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert match, done.stderr
    found = json.loads(html.unescape(match[1]))
    assert found["thrown"] == []
    assert not re.findall(r"ERROR:CONSOLE.*", done.stderr)
    return found["answer"], found["fetched"]
