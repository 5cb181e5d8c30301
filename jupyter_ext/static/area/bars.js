/** Progress bars. */

import { h, setText } from "./elements.js";
import { amount, clock, count, durationText } from "./figures.js";

/**
 * A bar as `bars.py` sends it. The first entry may be `{ folded }`, the last one `{ more }`: numbers of
 * bars that are not listed.
 *
 * @typedef {object} Bar
 * @property {string} [bar] id of the bar
 * @property {string} [source]
 * @property {string} [description]
 * @property {string} [unit]
 * @property {number | null} [current]
 * @property {number | null} [total]
 * @property {number | null} [percentage]
 * @property {number | null} [rate] units per second
 * @property {number | null} [elapsed] seconds
 * @property {number | null} [remaining] seconds
 * @property {boolean} [finished]
 * @property {number} [folded]
 * @property {number} [more]
 */

/** @param {Bar} bar */
const barId = ({ bar, source = "" }) => JSON.stringify([source, bar]);

/** Progress bars, in the order that the kernel sends. The element of a bar is kept while the bar exists. */
export class Bars {
  constructor() {
    /** @type {Map<string, HTMLElement>} */
    this.nodes = new Map(); // by source and id of the bar
    this.folded = h("div", { class: "pls-folded" });
    this.more = h("div", { class: "pls-folded" });
    this.element = h("div", { class: "pls-bars", hidden: true });
  }

  /** @param {Bar[]} list */
  update(list) {
    const bars = list.filter((bar) => bar.bar !== undefined);
    const folded = list.find((bar) => bar.folded)?.folded;
    const more = list.find((bar) => bar.more)?.more;
    setText(this.folded, folded ? `${count(folded)} finished` : "");
    setText(this.more, more ? `${count(more)} more` : "");
    const wanted = [
      ...(folded ? [this.folded] : []),
      ...bars.map((bar) => this.node(bar)),
      ...(more ? [this.more] : []),
    ];
    const same =
      wanted.length === this.element.children.length &&
      wanted.every((node, at) => node === this.element.children[at]);
    if (!same) this.element.replaceChildren(...wanted);
    const ids = new Set(bars.map(barId));
    for (const id of this.nodes.keys()) if (!ids.has(id)) this.nodes.delete(id);
    this.element.hidden = !wanted.length;
  }

  /** @param {Bar} bar */
  node(bar) {
    let node = this.nodes.get(barId(bar));
    if (!node) {
      const track = h(
        "div",
        { class: "pls-track", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 },
        h("div"),
      );
      const [label, ...cells] = ["label", "share", "amount", "rate"].map((name) =>
        h("span", { class: `pls-${name}` }),
      );
      node = h("div", { class: "pls-bar" }, label, track, ...cells);
      this.nodes.set(barId(bar), node);
    }
    this.fill(node, bar);
    return node;
  }

  /**
   * @param {HTMLElement} node
   * @param {Bar} bar
   */
  fill(node, bar) {
    const [label, track, share, amounts, rate] = /** @type {Iterable<HTMLElement>} */ (node.children);
    const percentage = bar.finished && bar.percentage == null ? 100 : bar.percentage;
    const known = percentage != null;
    const texts = [
      bar.description || "",
      known ? `${Math.floor(percentage)} %` : "",
      this.amounts(bar),
      this.speed(bar),
    ];
    [label, share, amounts, rate].forEach((cell, at) => setText(cell, texts[at]));
    label.title = texts[0];
    node.classList.toggle("pls-finished", Boolean(bar.finished));
    track.classList.toggle("pls-unknown", !known);
    const filled = /** @type {HTMLElement} */ (track.firstChild);
    filled.style.width = known ? `${Math.min(100, Math.max(0, percentage))}%` : "";
    track.setAttribute("aria-label", texts[0] || "Progress");
    track.setAttribute("aria-valuetext", texts.slice(1).filter(Boolean).join(", ") || "running");
    if (known) track.setAttribute("aria-valuenow", String(Math.floor(percentage)));
    else track.removeAttribute("aria-valuenow");
  }

  /** @param {Bar} bar */
  amounts({ current, total, unit }) {
    if (current == null) return "";
    const parts = total == null ? [amount(current, unit)] : [amount(current, unit), amount(total, unit)];
    const word = !unit || unit === "B" || unit === "%" ? "" : ` ${unit}`;
    return parts.join("/") + word;
  }

  /** @param {Bar} bar */
  speed({ rate, unit, remaining, elapsed, finished }) {
    const parts = [];
    if (rate != null && !finished) {
      const slow = rate && rate < 1 && unit !== "B";
      parts.push(slow ? `${(1 / rate).toFixed(1)} s each` : `${amount(rate, unit)}/s`);
    }

    if (finished && elapsed != null) parts.push(durationText(elapsed));
    else if (remaining != null) parts.push(`${clock(remaining)} left`);
    return parts.join(" · ");
  }
}
