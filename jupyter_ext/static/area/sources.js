/** The sources of the rows, each with a button that hides its rows. */

/** @import { Rows } from "./rows.js" */

import { h } from "./elements.js";

/** A button for each source, when there are several. */
export class Sources {
  /** @param {Rows} rows */
  constructor(rows) {
    this.rows = rows;
    /** @type {string[]} */
    this.names = [];
    /** @type {Set<string>} */
    this.hidden = new Set(); // sources that are filtered out
    const label = { class: "pls-chips", role: "group", "aria-label": "Sources", hidden: true };
    this.element = h("div", label);
  }

  /** True when there are buttons. */
  get several() {
    return this.names.length > 1;
  }

  /** @param {string[]} names of all sources; names are only ever added */
  update(names) {
    this.names = names;
    this.element.hidden = !this.several;
    const known = this.element.children.length;
    if (this.several) this.element.append(...names.slice(known).map((source) => this.chip(source)));
  }

  /** @param {string} source */
  chip(source) {
    const chip = h(
      "button",
      { type: "button", class: "pls-chip", "aria-pressed": true, onclick: () => this.toggle(source) },
      source || "output",
    );
    chip.style.setProperty("--pls-source", this.rows.colourOf(source));
    return chip;
  }

  /**
   * Show or hide the rows of a source.
   *
   * @param {string} source
   */
  toggle(source) {
    if (!this.hidden.delete(source)) this.hidden.add(source);
    const chip = this.element.children[this.names.indexOf(source)];
    chip.setAttribute("aria-pressed", String(!this.hidden.has(source)));
    this.rows.filter(this.hidden);
  }
}
