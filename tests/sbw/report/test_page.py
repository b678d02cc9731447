"""The page stands alone: figures inside, nothing loaded, nothing from outside run."""

import base64
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sbw.report.claims import all_claims
from sbw.report.document import document
from sbw.report.page import data_uri, page
from tests.sbw.report.tables import results

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="100pt" height="50pt"><title>β</title></svg>'
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """The elements of a page, after checking that each is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html() -> str:
    found = results()
    models = found.pretrained["model"].replace("model-3", "<script>alert('model')</script>")
    found = replace(found, pretrained=found.pretrained.assign(model=models))
    return page(document(found), "Which <L0>?", lambda link: SVG)


@pytest.fixture(scope="module")
def parsed(html: str) -> Page:
    return Page(html)


def test_it_is_html5_with_one_title_and_heading(html: str, parsed: Page) -> None:
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert len(parsed.all("title")) == len(parsed.all("h1")) == len(parsed.all("main")) == 1
    assert "<title>Which &lt;L0&gt;?</title>" in html


def test_every_figure_is_inside_and_has_an_alt_text(parsed: Page) -> None:
    images = parsed.all("img")
    assert len(images) == len(parsed.all("figure")) == 23
    assert all(image["alt"] for image in images)
    assert {image["src"] for image in images} == {data_uri(SVG)}
    assert {(image["width"], image["style"]) for image in images} == {("173", "min-width: 133px")}
    assert base64.b64decode(data_uri(SVG).partition(",")[2]).decode() == SVG


def test_nothing_is_loaded_from_outside(parsed: Page) -> None:
    loaded = [a.get("src") or "" for _, a in parsed.elements] + [str(a.get("href")) for a in parsed.all("link")]
    assert all(url == "" or url.startswith("data:") for url in loaded)
    assert "url(" not in "".join(parsed.texts)
    assert "@import" not in "".join(parsed.texts)
    policy = [meta["content"] for meta in parsed.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"]


def test_the_only_script_is_its_own(html: str, parsed: Page) -> None:
    assert parsed.all("script") == [{}]
    assert html.count("<script") == 1
    assert "&lt;script&gt;alert('model')&lt;/script&gt;" in html


def test_the_navigation_reaches_every_section(parsed: Page) -> None:
    targets = [heading["id"] for heading in parsed.all("h2")]
    assert len(targets) == len(set(targets)) == 16
    links = [str(link["href"]) for link in parsed.all("a")]
    assert links[:16] == [f"#{target}" for target in targets]
    assert [link for link in links if not link.startswith("#")] == ["https://arxiv.org/abs/2508.16560"]


def test_each_number_of_ours_leads_to_its_params(parsed: Page) -> None:
    params = {heading["id"] for heading in parsed.all("h3")}
    links = [str(link["href"]) for link in parsed.all("a")]
    to_params = [link for link in links if link.startswith("#params-of-")]
    assert {link.removeprefix("#") for link in to_params} <= params
    assert len(to_params) == sum(map(len, all_claims(results()).values()))


def test_tables_have_heads_to_sort_by(parsed: Page) -> None:
    assert len(parsed.all("table")) == len(parsed.all("thead")) > 15
    assert "aria-sort" in "".join(parsed.texts)
