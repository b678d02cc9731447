"""The report as one HTML page that needs no other file and no network."""

import base64
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from sbw.report.document import slug

_PRINTED_WIDTH = re.compile(r'<svg\b[^>]*\bwidth="([\d.]+)pt"')
# Pixels per point. Figures have the small type of print: a screen shows them 1.3 times as large, if it is wide enough.
_PRINTED, _SCREEN = 96 / 72, 1.3 * 96 / 72


def page(markdown: str, title: str, svg_of: Callable[[str], str]) -> str:
    """The Markdown as HTML5, with a navigation; `svg_of` gives the text of a figure from its link in the Markdown."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", lambda *_: '<div class="table">\n<table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table>\n</div>\n")
    tokens = parser.parse(markdown)
    headings = _name_headings(tokens)
    _embed(tokens, svg_of)
    body = Markup(parser.renderer.render(tokens, parser.options, {}))
    environment = Environment(
        loader=PackageLoader("sbw.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.jinja").render(title=title, headings=headings, body=body) + "\n"


def _name_headings(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Give each heading below the first an id; returns the ids and texts of the sections'."""
    named = []
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag != "h1":
            text = "".join(child.content for child in content.children or [])
            opening.attrSet("id", slug(text))
            if opening.tag == "h2":
                named.append((slug(text), text))
    return named


def _embed(tokens: Sequence[Token], svg_of: Callable[[str], str]) -> None:
    """Put each figure's own text in place of its link, and its paragraph into a <figure>."""
    for before, content, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        for image in (child for child in content.children or [] if child.type == "image"):
            svg = svg_of(str(image.attrGet("src")))
            image.attrSet("src", data_uri(svg))
            if width := _PRINTED_WIDTH.search(svg):
                image.attrSet("width", str(round(float(width[1]) * _SCREEN)))
                image.attrSet("style", f"min-width: {round(float(width[1]) * _PRINTED)}px")
            before.tag = after.tag = "figure"


def data_uri(svg: str) -> str:
    """An SVG as a URI that holds all of it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
