for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.querySelectorAll("button").forEach((button) => {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const column = head.cellIndex;
      const order = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
      for (const other of head.parentNode.cells) {
        if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      }
      head.setAttribute("aria-sort", order > 0 ? "ascending" : "descending");
      const body = table.tBodies[0];
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      [...body.rows]
        .sort((one, two) => {
          const [a, b] = [value(one), value(two)];
          const numbers = a !== "" && b !== "" && !isNaN(a) && !isNaN(b);
          return order * (numbers ? a - b : String(a).localeCompare(String(b)));
        })
        .forEach((row) => body.append(row));
    });
  });
}
