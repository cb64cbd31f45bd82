"use strict";
// Sorting, filtering, copying and the theme. Without this script every table is still readable.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // --- theme: as the system has it, until the reader chooses ------------------------------------
  const system = matchMedia("(prefers-color-scheme: dark)");
  const toggle = document.getElementById("theme");
  const stored = () => { try { return localStorage.getItem("bench-theme"); } catch { return null; } };
  const show = (theme) => {
    const dark = theme ? theme === "dark" : system.matches;
    if (theme) root.dataset.theme = theme;
    toggle.setAttribute("aria-pressed", String(dark));
  };
  show(stored());
  system.addEventListener("change", () => show(stored()));
  toggle.addEventListener("click", () => {
    const theme = toggle.getAttribute("aria-pressed") === "true" ? "light" : "dark";
    try { localStorage.setItem("bench-theme", theme); } catch { /* private mode */ }
    show(theme);
  });

  // --- sorting: a first click puts the best on top, cells without a value stay last --------------
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : cell.dataset.sort;
  };
  const compare = (a, b) => {
    const x = Number(a), y = Number(b);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };
  const sort = (head) => {
    const column = head.cellIndex;
    const other = { ascending: "descending", descending: "ascending" };
    const now = head.getAttribute("aria-sort");
    const next = now === "none" ? head.dataset.first : other[now];
    for (const th of head.parentElement.cells) {
      if (th.hasAttribute("aria-sort")) th.setAttribute("aria-sort", th === head ? next : "none");
    }
    const sign = next === "ascending" ? 1 : -1;
    const table = head.closest("table");
    const body = table.querySelector("tbody.sortable");
    const rows = [...body.rows].map((row) => [keyOf(row, column), row]);
    rows.sort(([a], [b]) => (a === "") - (b === "") || (a === "" ? 0 : sign * compare(a, b)));
    body.append(...rows.map(([, row]) => row));
    follow(table, rows.map(([, row]) => row.cells[0].textContent.trim()));
  };
  // The other tables of a section hold more columns of the same rows: they follow in order.
  const follow = (sorted, names) => {
    const place = new Map(names.map((name, index) => [name, index]));
    for (const table of sorted.closest("[data-section]").querySelectorAll("table")) {
      const body = table.querySelector("tbody.sortable");
      if (table === sorted || !body) continue;
      const at = (row) => place.get(row.cells[0].textContent.trim()) ?? names.length;
      const rows = [...body.rows].map((row) => [at(row), row]).sort(([a], [b]) => a - b);
      body.append(...rows.map(([, row]) => row));
      for (const th of table.tHead.rows[0].cells) th.setAttribute("aria-sort", "none");
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("th[aria-sort] button");
    if (button) sort(button.closest("th"));
  });

  // --- filtering: rows whose name holds every word ----------------------------------------------
  for (const field of document.querySelectorAll("input[data-filter]")) {
    const part = document.getElementById(field.dataset.filter);
    const said = document.getElementById(field.getAttribute("aria-describedby"));
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const names = new Set(), kept = new Set();
      for (const row of part.querySelectorAll("tbody.sortable tr")) {
        const name = row.cells[0].textContent.trim();
        const found = words.every((word) => name.toLowerCase().includes(word));
        row.hidden = !found;
        names.add(name);
        if (found) kept.add(name);
      }
      said.textContent = words.length ? `${kept.size} of ${names.size} rows` : "";
    });
  }

  // --- copying ----------------------------------------------------------------------------------
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  let fading;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const done = await copied(document.getElementById(button.dataset.copy).textContent);
    const said = document.getElementById("said");
    said.textContent = done ? `${button.dataset.name} copied` : "The browser refused to copy";
    button.classList.toggle("done", done);
    setTimeout(() => button.classList.remove("done"), 2000);
    clearTimeout(fading);
    fading = setTimeout(() => { said.textContent = ""; }, 2000);
  });
})();
