// A table with a filter, an order and pages. Rows keep their elements between updates, so that the
// focus stays where it is.

import { element, setText } from "./dom.js";
import { count } from "./format.js";

const PAGE_ROWS = 25;

/** Returns the rows that contain `filter` in a text of a column, in the order of a column. */
export function arrange(rows, columns, { filter, sort, descending }) {
  const wanted = filter.trim().toLowerCase();
  const texts = columns.filter((column) => column.text);
  const contains = (row) => texts.some(({ text }) => text(row).toLowerCase().includes(wanted));
  const found = wanted === "" ? [...rows] : rows.filter(contains);
  const column = columns.find(({ name }) => name === sort);
  if (column === undefined) return found;
  const value = column.value ?? column.text;
  const sign = descending ? -1 : 1;
  return found.sort((a, b) => sign * compare(value(a), value(b)));
}

/** Orders numbers, then texts. What is not known is last. */
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") {
    return a.localeCompare(b, "en", { numeric: true });
  }
  return (a === undefined || a === null) - (b === undefined || b === null);
}

/**
 * A table of rows with a `key(row)`.
 *
 * A column has a `name`, a `title`, and a `text(row)`, or a `cell(row)` that returns an element
 * once per row. `value(row)` is the order's if it differs from the text. `isNumber` aligns it to
 * the right, and `isWide` hides it on narrow screens. A column without a title has operations.
 */
export class Table {
  #columns;
  #key;
  #empty;
  #rows = [];
  #elements = new Map();
  #view = { filter: "", sort: "", descending: false };
  #page = 0;
  #body = element("tbody");
  #headers = new Map();
  #note = element("p", { class: "empty" });
  #position = element("span", { class: "position" });
  #previous;
  #next;
  #pages;

  constructor({ caption, columns, key, empty, sort = "", descending = false, filter = true }) {
    this.#columns = columns;
    this.#key = key;
    this.#empty = empty;
    this.#view = { filter: "", sort, descending };
    this.#previous = element("button", { type: "button", onclick: () => this.#turn(-1) }, "Previous");
    this.#next = element("button", { type: "button", onclick: () => this.#turn(1) }, "Next");
    this.#pages = element("nav", { class: "pages", "aria-label": `Pages: ${caption}` },
      this.#previous, this.#position, this.#next);
    const search = element("input", {
      type: "search", placeholder: "Filter", "aria-label": `Filter: ${caption}`,
      oninput: ({ target }) => this.#change({ filter: target.value }),
    });
    const headers = columns.map((column) => this.#header(column));
    this.element = element("div", { class: "table" },
      filter ? element("div", { class: "filter" }, search) : null,
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        element("table", {},
          element("caption", { class: "hidden" }, caption),
          element("thead", {}, element("tr", {}, ...headers)),
          this.#body)),
      this.#note, this.#pages);
    this.#show();
  }

  /** Replaces the rows. */
  set(rows) {
    this.#rows = rows;
    this.#show();
  }

  #header(column) {
    const { name, title } = column;
    const isSortable = column.text !== undefined || column.value !== undefined;
    const header = element("th", { scope: "col", class: classes(column) },
      isSortable
        ? element("button", { type: "button", onclick: () => this.#sort(name) }, title)
        : element("span", { class: "hidden" }, "Operations"));
    this.#headers.set(name, header);
    return header;
  }

  #sort(name) {
    const descending = this.#view.sort === name && !this.#view.descending;
    this.#change({ sort: name, descending });
  }

  #change(view) {
    Object.assign(this.#view, view);
    this.#page = 0;
    this.#show();
  }

  #turn(pages) {
    this.#page += pages;
    this.#show();
  }

  #show() {
    const rows = arrange(this.#rows, this.#columns, this.#view);
    const last = Math.max(0, Math.ceil(rows.length / PAGE_ROWS) - 1);
    this.#page = Math.min(this.#page, last);
    const start = this.#page * PAGE_ROWS;
    const shown = rows.slice(start, start + PAGE_ROWS);
    for (const [name, header] of this.#headers) {
      const direction = this.#view.descending ? "descending" : "ascending";
      header.setAttribute("aria-sort", name === this.#view.sort ? direction : "none");
    }
    this.#place(shown.map((row) => this.#row(row)));
    this.#forget();
    this.#note.hidden = rows.length > 0;
    setText(this.#note, this.#rows.length > 0 ? "Nothing matches the filter." : this.#empty);
    this.#pages.hidden = rows.length <= PAGE_ROWS;
    this.#previous.disabled = this.#page === 0;
    this.#next.disabled = this.#page === last;
    const end = start + shown.length;
    setText(this.#position, `${count(start + 1)}–${count(end)} of ${count(rows.length)}`);
  }

  /** Puts the rows in order, and moves only those that are elsewhere. */
  #place(elements) {
    elements.forEach((row, at) => {
      if (this.#body.children[at] !== row) {
        this.#body.insertBefore(row, this.#body.children[at] ?? null);
      }
    });
    while (this.#body.children.length > elements.length) this.#body.lastChild.remove();
  }

  /** Removes the elements of rows that do not exist any more. */
  #forget() {
    const keys = new Set(this.#rows.map(this.#key));
    for (const key of this.#elements.keys()) if (!keys.has(key)) this.#elements.delete(key);
  }

  #row(row) {
    const key = this.#key(row);
    let entry = this.#elements.get(key);
    if (entry === undefined) {
      const cells = this.#columns.map((column, at) => element(at === 0 ? "th" : "td", {
        class: classes(column), scope: at === 0 ? "row" : null,
      }, column.cell?.(row)));
      entry = { cells, row: element("tr", {}, ...cells) };
      this.#elements.set(key, entry);
    }
    this.#columns.forEach((column, at) => {
      if (column.update) column.update(entry.cells[at], row);
      else if (!column.cell) setText(entry.cells[at], column.text(row));
    });
    return entry.row;
  }
}

function classes({ isNumber, isWide, title }) {
  const names = { number: isNumber, wide: isWide, operations: title === "" };
  return Object.keys(names).filter((name) => names[name]).join(" ");
}
