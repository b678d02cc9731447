// A click on a column's head sorts by it: first the cells that begin with a number, then the others by their text.
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
      const value = (row) => parseFloat(text(row).replaceAll(",", "").replace("\u2212", "-"));
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
