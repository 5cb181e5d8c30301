/** The search in the whole record. */

/** @import { Store } from "./store.js" */

import { button, h, setText } from "./elements.js";
import { count, plural } from "./figures.js";
import { LONG_ROW } from "./row.js";
import { UNFINISHED } from "./status.js";

const MAX_RESULTS = 500; // results that are listed

/** The search in the whole record, including lines that are not on the page. */
export class Search {
  /**
   * @param {Store} store
   * @param {object} callbacks
   * @param {(number: number) => void} callbacks.onselect called with the number of the row that was clicked
   * @param {() => void} callbacks.onclose
   */
  constructor(store, { onselect, onclose }) {
    this.store = store;
    this.onselect = onselect;
    this.search = 0; // number of the newest search
    this.text = "";
    this.done = false;
    this.input = h("input", {
      type: "search",
      placeholder: "Search the whole log",
      "aria-label": "Search the whole log",
      spellcheck: "false",
      oninput: () => this.startLater(),
    });
    this.summary = h("span", { class: "pls-summary", role: "status" });
    this.list = h("ol", { class: "pls-found", "aria-label": "Lines found", hidden: true });
    const rest = `The first ${MAX_RESULTS} are listed; the others are in the log.`;
    this.rest = h("li", { class: "pls-rest" }, rest);
    const form = h(
      "form",
      { role: "search", onsubmit: (event) => event.preventDefault() },
      this.input,
      this.summary,
      button("close", "Close search", onclose),
    );
    this.element = h(
      "div",
      { class: "pls-search", hidden: true, onkeydown: (event) => this.onKey(event, onclose) },
      form,
      this.list,
    );
  }

  /** True while there are results, or a search for them. */
  get active() {
    return !this.element.hidden && this.input.value !== "";
  }

  /** @param {boolean} on */
  setOpen(on) {
    this.element.hidden = !on;
    if (on) this.input.focus();
    else this.start("");
  }

  /**
   * @param {KeyboardEvent} event
   * @param {() => void} onclose
   */
  onKey(event, onclose) {
    if (event.key === "Escape") onclose();
    else if (event.key === "Enter" && event.target === this.input) {
      event.preventDefault();
      if (this.done) this.text = ""; // more lines may have arrived since
      this.start(this.input.value);
    }
  }

  /** Start the search when typing pauses. */
  startLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(this.input.value), 250);
  }

  /** @param {string} text */
  start(text) {
    clearTimeout(this.timer);
    if (text === this.text) return;
    this.text = text;
    this.done = false;
    this.search = ++this.store.requests;
    this.list.replaceChildren(this.rest);
    this.list.hidden = true;
    setText(this.summary, text ? "searching …" : "");
    this.store.send({ type: "search", view: this.store.id, search: this.search, text });
  }

  onResults({ search, done, count: all = 0, lines = [], searched }) {
    if (search !== this.search || !this.text) return;
    const room = MAX_RESULTS + 1 - this.list.children.length;
    this.rest.before(...lines.slice(0, room).map(([number, text]) => this.result(number, text)));
    this.list.hidden = !all;
    this.done = done;
    let summary = all ? `${count(all)} found` : done ? "not found" : "searching …";
    const more = UNFINISHED.has(this.store.get("status").state); // more lines may arrive
    if (!done || more) summary += ` in ${plural(searched || 0, "line")}`;
    setText(this.summary, done ? summary : `${summary} so far`);
    this.rest.hidden = all <= MAX_RESULTS;
  }

  /**
   * Make an entry of the list of results.
   *
   * @param {number} number of the row
   * @param {string} text of the row
   */
  result(number, text) {
    const line = h(
      "button",
      { type: "button", onclick: () => this.onselect(number) },

      h("span", { class: "pls-number" }, count(number + 1)),
    );
    const part = text.slice(0, LONG_ROW);
    const pattern = new RegExp(this.text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), "gi");
    let at = 0;
    for (const match of part.matchAll(pattern)) {
      line.append(part.slice(at, match.index), h("mark", {}, match[0]));
      at = match.index + match[0].length;
    }
    line.append(part.slice(at));
    return h("li", {}, line);
  }
}
