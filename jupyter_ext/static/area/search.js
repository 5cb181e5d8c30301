/** Search in the whole record. */

import { button, h, setText } from "./elements.js";
import { count, plural } from "./figures.js";
import { LONG_ROW } from "./row.js";
import { UNFINISHED } from "./store.js";

const FOUND = 500; // results of a search that are listed

/** Search in the whole record, also in lines that are not on the page. */
export class Search {
  constructor(store, { onfound, onclose }) {
    this.store = store;
    this.onfound = onfound;
    this.search = 0;
    this.input = h("input", { type: "search", placeholder: "Search the whole log", "aria-label": "Search the whole log", spellcheck: "false", oninput: () => this.later() });
    this.summary = h("span", { class: "pls-summary", role: "status" });
    this.list = h("ol", { class: "pls-found", "aria-label": "Lines found", hidden: true });
    this.rest = h("li", { class: "pls-rest" }, `The first ${FOUND} are listed; the others are in the log.`);
    const form = h("form", { role: "search", onsubmit: (event) => event.preventDefault() }, this.input, this.summary, button("close", "Close search", onclose));
    this.element = h("div", { class: "pls-search", hidden: true, onkeydown: (event) => this.key(event, onclose) }, form, this.list);
  }

  /** Whether there are results, or are going to be. */
  get used() {
    return !this.element.hidden && this.input.value !== "";
  }

  open(on) {
    this.element.hidden = !on;
    if (on) this.input.focus();
    else this.start("");
  }

  key(event, onclose) {
    if (event.key === "Escape") onclose();
    else if (event.key === "Enter" && event.target === this.input) {
      event.preventDefault();
      if (this.done) this.text = ""; // there may be more lines by now
      this.start(this.input.value);
    }
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(this.input.value), 250);
  }

  start(text) {
    clearTimeout(this.timer);
    if (text === this.text) return;
    this.text = text;
    this.done = false;
    this.search = ++this.store.questions;
    this.list.replaceChildren(this.rest);
    this.list.hidden = true;
    setText(this.summary, text ? "searching …" : "");
    this.store.send({ type: "search", view: this.store.id, search: this.search, text });
  }

  found({ search, done, count: all = 0, lines = [], searched }) {
    if (search !== this.search || !this.text) return;
    const room = FOUND + 1 - this.list.children.length;
    this.rest.before(...lines.slice(0, room).map(([number, text]) => this.result(number, text)));
    this.list.hidden = !all;
    this.done = done;
    const words = all ? `${count(all)} found` : done ? "not found" : "searching …";
    const where = ` in ${plural(searched || 0, "line")}`;
    setText(this.summary, !done ? `${words}${where} so far` : UNFINISHED.has(this.store.get("status").state) ? words + where : words);
    this.rest.hidden = all <= FOUND;
  }

  result(number, text) {
    const line = h("button", { type: "button", onclick: () => this.onfound(number) }, h("span", { class: "pls-number" }, count(number + 1)));
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
