"""The look of the page, and the few lines that sort its tables."""

STYLE = """\
:root { color-scheme: light dark; --text: #1b1b1b; --faint: #5c5c5c; --ground: #fdfdfc; --line: #d9d9d4;
  --raised: #f3f3ef; --link: #0b57a4; --no: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e6e3; --faint: #a5a5a0; --ground: #17181a; --line: #3a3b3e; --raised: #222326;
    --link: #8ab8f0; --no: #ff8a80; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.55 system-ui, sans-serif;
  display: grid; grid-template-columns: 13rem minmax(0, 1fr); }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 1.5rem 1rem;
  font-size: .9rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .2rem .4rem; text-decoration: none; }
nav a:hover { background: var(--raised); }
main { max-width: 60rem; padding: 1rem 1.5rem 4rem; }
p { max-width: 44rem; }
a { color: var(--link); }
h1 { line-height: 1.2; }
h2 { margin-top: 3rem; padding-top: .8rem; border-top: 1px solid var(--line); scroll-margin-top: 1rem; }
figure { margin: 1.2rem 0; padding: .8rem; background: #fff; border: 1px solid var(--line); border-radius: 6px;
  color: #1b1b1b; overflow-x: auto; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.table { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { background: var(--raised); white-space: nowrap; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
th button::after { content: " \\2195"; color: var(--faint); font-weight: 400; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
td strong { color: var(--no); }
code { font-size: .88em; }
pre { background: var(--raised); padding: .8rem 1rem; overflow-x: auto; border-radius: 6px; font-size: .85rem; }
@media (max-width: 52rem) {
  body { display: block; }
  nav { position: static; max-height: none; padding-bottom: 0; }
  nav li { display: inline-block; }
  td { min-width: 6rem; }
}
@media (prefers-color-scheme: dark) { figure { filter: brightness(.88); } }
@media print { nav { display: none; } body { display: block; } }
"""
"""Light and dark by the reader's setting; figures, which are drawn for paper, on a white card in both, dimmed in the
dark. On a narrow screen tables and figures scroll, rather than get too small to read."""

SCRIPT = """\
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  if (!body) continue;
  table.querySelectorAll("th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (row) => row.cells[column].textContent.trim();
      const value = (row) => parseFloat(text(row).replaceAll(",", "").replace("\\u2212", "-"));
      const order = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (isNaN(x) && isNaN(y)) return text(a).localeCompare(text(b), "en", { numeric: true });
        return isNaN(x) ? 1 : isNaN(y) ? -1 : x - y;
      };
      const rows = [...body.rows].sort(order);
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
"""
"""A click on a column's head sorts by it: first the cells that begin with a number, then the others by their text."""
