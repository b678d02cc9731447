"""The report as one HTML page that needs no other file and no network."""

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sbw.report.assets import SCRIPT, STYLE
from sbw.report.markdown import slug

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" \
content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<nav aria-label="Sections">
<ul>
{entries}
</ul>
</nav>
<main>
"""
_PRINTED_WIDTH = re.compile(r'<svg\b[^>]*\bwidth="([\d.]+)pt"')
# Pixels a point. Figures have the small type of print: a screen shows them 1.3 times as large, if it is wide enough.
_PRINTED, _SCREEN = 96 / 72, 1.3 * 96 / 72
_TAIL = """</main>
<script>
{script}</script>
</body>
</html>
"""


def render(markdown: str, title: str, svgs: Mapping[str, str]) -> str:
    """The Markdown as HTML5, with a navigation; `svgs` has the text of each figure by its link in the Markdown.

    Raises:
        KeyError: a figure that the Markdown shows is not in `svgs`.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    tokens = parser.parse(markdown)
    headings = _name_headings(tokens)
    _embed(tokens, svgs)
    entries = "\n".join(f'<li><a href="#{name}">{escape(text)}</a></li>' for name, text in headings)
    body = parser.renderer.render(tokens, parser.options, {})
    return _HEAD.format(title=escape(title), style=STYLE, entries=entries) + body + _TAIL.format(script=SCRIPT)


def _name_headings(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Give each heading below the first an id; returns the ids and texts of the sections'."""
    named = []
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag != "h1":
            opening.attrSet("id", slug(content.content))
            if opening.tag == "h2":
                named.append((slug(content.content), content.content))
    return named


def _embed(tokens: Sequence[Token], svgs: Mapping[str, str]) -> None:
    """Put each figure's own text in place of its link, and its paragraph into a <figure>."""
    for before, content, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        images = [child for child in content.children or [] if child.type == "image"]
        for image in images:
            svg = svgs[str(image.attrGet("src"))]
            image.attrSet("src", data_uri(svg))
            if width := _PRINTED_WIDTH.search(svg):
                image.attrSet("width", str(round(float(width[1]) * _SCREEN)))
                image.attrSet("style", f"min-width: {round(float(width[1]) * _PRINTED)}px")
            before.tag = after.tag = "figure"


def data_uri(svg: str) -> str:
    """An SVG as a URI that holds all of it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _table_open(*_: Any) -> str:
    return '<div class="table">\n<table>\n'


def _table_close(*_: Any) -> str:
    return "</table>\n</div>\n"
