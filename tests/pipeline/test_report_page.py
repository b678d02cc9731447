"""The report's page works as a reader uses it: without a network, and with tables that sort."""

from tests.browser import asked, needs_chromium
from tests.conftest import Clone


@needs_chromium
def test_it_shows_every_figure_and_fetches_nothing(reproduced: Clone) -> None:
    script = "return [...document.images].map(image => image.complete && image.naturalWidth > 0);"
    shown, fetched = asked(reproduced.root / "plots/report.html", script)
    assert len(shown) > 10
    assert all(shown)
    assert not [address for address in fetched if not address.startswith("data:")]


@needs_chromium
def test_a_table_sorts_by_the_column_that_is_clicked(reproduced: Clone) -> None:
    script = """
    const table = [...document.querySelectorAll("table")].find(table => table.textContent.includes("median L0"));
    const column = () => [...table.tBodies[0].rows].map(row => parseFloat(row.cells[1].textContent));
    const button = table.querySelectorAll("th button")[1], before = column();
    button.click();
    const up = column();
    button.click();
    return [before, up, column()];
    """
    (before, up, down), _ = asked(reproduced.root / "plots/report.html", script)
    assert before != sorted(before)
    assert up == sorted(before)
    assert down == up[::-1]


@needs_chromium
def test_numbers_lead_to_params_that_are_there(reproduced: Clone) -> None:
    script = """
    const links = [...document.querySelectorAll("td a")].map(link => link.getAttribute("href"));
    return [links.length, links.filter(link => !document.querySelector(link))];
    """
    (count, dead), _ = asked(reproduced.root / "plots/report.html", script)
    assert count > 20
    assert dead == []
