/** The rows in a box that scrolls. `blocks.js` has their elements. */

/** @import { Store } from "./store.js" */

import { Blocks } from "./blocks.js";
import { h, setText } from "./elements.js";
import { plural } from "./figures.js";
import { longForm, rowText } from "./row.js";

const KEPT = 20_000; // rows that are kept for a reader who has scrolled up
const KEPT_SIZE = 32_000_000; // characters of these rows and of those that the kernel has
const SHRINK = 1_500; // ms after which the box may become lower

/** An element that emits `placed` when it is inserted into the page or moved: no observer reports that. */
class Place extends HTMLElement {
  connectedCallback() {
    this.dispatchEvent(new Event("placed"));
  }
}
// Every widget runs this module, but an element can be defined only once.
if (!customElements.get("pls-place")) customElements.define("pls-place", Place);

/** The box follows the end until the reader scrolls up. From then on it keeps the rows that were there. */
export class Rows {
  /**
   * @param {Store} store
   * @param {() => void} onfollow called when the box starts or stops following the end
   */
  constructor(store, onfollow) {
    this.store = store;
    this.onfollow = onfollow;
    this.following = true;
    this.start = 0; // number of the first row that is kept for a reader who does not follow
    this.until = 0; // number after the last row that is kept
    /** @type {Set<string>} */
    this.hidden = new Set(); // sources that are filtered out
    this.line = 17; // height of a row in pixels
    this.lastTop = 0;
    this.placed = false; // the box was inserted or moved since the last frame
    this.listHeight = 0; // height of the list in pixels when the box was highest
    this.boxHeight = 0; // height of the box in pixels at that time
    this.width = 0;
    this.shrinks = 0; // timer
    this.framed = 0; // requested animation frame
    this.probe = h("div", { class: "pls-row pls-probe", "aria-hidden": "true" }, "x");
    this.earlier = h("div", { class: "pls-earlier", hidden: true });
    this.blocks = new Blocks(this);
    const { list } = this.blocks;
    this.element = h(
      "div",
      {
        class: "pls-rows",
        role: "log",
        "aria-live": "off",
        tabindex: 0,
        hidden: true,
        onscroll: () => this.onScroll(),
        onwheel: (event) => event.deltaY < 0 && this.hold(),
      },
      this.probe,
      this.earlier,
      list,
      h(/** @type {any} */ ("pls-place"), { hidden: true, onplaced: () => this.onPlaced() }),
    );
    this.resizes = new ResizeObserver(() => this.onResize());
    this.resizes.observe(this.element);
    this.resizes.observe(list);
  }

  close() {
    this.resizes.disconnect();
    clearTimeout(this.shrinks);
    cancelAnimationFrame(this.framed);
  }

  get first() {
    return this.following ? this.store.first : this.start;
  }

  get end() {
    return this.following ? this.store.shownEnd : Math.min(this.store.shownEnd, this.until);
  }

  /** @param {number} number */
  holds(number) {
    return !this.following && number >= this.start && number < this.until;
  }

  /** Keep the rows that the kernel has now, and later ones while there is room. */
  keep() {
    this.start = this.store.first;
    this.until = Math.max(this.start + KEPT, this.store.end);
  }

  /** Keep no more rows once they take too much memory. */
  bound() {
    if (this.store.size > KEPT_SIZE) this.until = Math.min(this.until, this.store.end);
  }

  /** Stop following the end. */
  hold() {
    if (!this.following || this.element.scrollHeight <= this.element.clientHeight) return;
    this.keep();
    this.following = false;
    this.element.classList.add("pls-held");
    this.onfollow();
    this.schedule();
  }

  follow() {
    if (!this.following) {
      this.following = true;
      this.element.classList.remove("pls-held");
      this.store.sweep();
      this.onfollow();
    }
    this.schedule();
  }

  onPlaced() {
    this.placed = true;
    this.schedule();
  }

  onScroll() {
    if (this.placed) return; // the browser scrolled, not the reader
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    if (scrollHeight - clientHeight - scrollTop < 4) this.follow();
    else if (scrollTop < this.lastTop - 1) this.hold();
    this.lastTop = scrollTop;
    this.schedule();
  }

  onResize() {
    if (this.element.classList.contains("pls-wrap") && this.width !== this.element.clientWidth) this.forget();
    this.width = this.element.clientWidth;
    this.schedule();
  }

  /** Forget the heights that were measured. */
  forget() {
    this.blocks.forget();
    this.shrink();
  }

  /** Make the box as high as its content. */
  shrink() {
    clearTimeout(this.shrinks);
    this.shrinks = 0;
    this.listHeight = 0;
    this.element.style.minHeight = "";
    this.schedule();
  }

  /** Let the box grow at once but shrink later; otherwise the page below jumps while a table is redrawn. */
  keepHeight() {
    const { element } = this;
    const height = this.blocks.list.offsetHeight;
    if (height < this.listHeight) {
      element.style.minHeight = `${this.boxHeight}px`;
      this.shrinks ||= setTimeout(() => this.shrink(), SHRINK);
      return;
    }
    clearTimeout(this.shrinks);
    this.shrinks = 0;
    element.style.minHeight = "";
    this.listHeight = height;
    this.boxHeight = element.offsetHeight;
  }

  /** @param {boolean} on */
  wrap(on) {
    this.element.classList.toggle("pls-wrap", on);
    this.forget();
  }

  /** @param {Set<string>} hidden sources */
  filter(hidden) {
    this.hidden = hidden;
    this.forget();
  }

  schedule() {
    if (!this.framed) this.framed = requestAnimationFrame(() => this.frame());
  }

  frame() {
    this.framed = 0;
    const { element } = this;
    element.hidden = this.end <= this.first;
    if (!element.clientHeight) return; // folded, or not in the page: the observer schedules the next frame
    if (this.placed) element.scrollTop = this.lastTop; // moving the element has scrolled it to the top
    this.placed = false;
    if (this.following && this.selected()) this.hold();
    const anchor = this.following ? null : this.blocks.anchor(element.scrollTop);
    this.line = this.probe.getBoundingClientRect().height || this.line;
    setText(this.earlier, `${plural(this.first, "earlier line")} in the log only`);
    this.earlier.hidden = !this.first;
    this.blocks.arrange();
    const steady = this.blocks.fill();
    this.keepHeight();
    if (this.following) element.scrollTop = element.scrollHeight;
    else if (anchor?.block.element.isConnected) this.goTo(anchor.block.element.offsetTop + anchor.within);
    this.lastTop = element.scrollTop;
    if (!steady) this.schedule();
  }

  /**
   * Scroll, unless the position is already right: scrolling would end a smooth scroll by the reader.
   *
   * @param {number} top
   */
  goTo(top) {
    if (Math.abs(this.element.scrollTop - top) > 1) this.element.scrollTop = top;
  }

  home() {
    this.hold();
    this.goTo(0);
  }

  /** True if the reader has selected text here, which must not move. */
  selected() {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.blocks.list.contains(selection.anchorNode));
  }

  shown(row) {
    return !this.hidden.size || (row !== undefined && !this.hidden.has(longForm(row).s || ""));
  }

  /** @param {string} source */
  colourOf(source) {
    const at = (this.store.get("status").sources || []).indexOf(source);
    return `var(--pls-s${Math.max(0, at) % 8})`;
  }

  /**
   * Scroll a row to the middle and mark it. Return false if the page no longer has the row.
   *
   * @param {number} number
   */
  reveal(number) {
    if (!this.store.rows.has(number) || number >= this.store.shownEnd) return false;
    if (number < this.store.first && !this.holds(number)) return false; // kept for another view
    this.hold();
    if (number >= this.end) {
      // Give up the rows that were kept for the reader: the wanted row comes after them.
      this.keep();
      this.store.sweep();
    }
    this.frame();
    const block = this.blocks.find(number);
    if (!block) return false;
    const near = block.element.offsetTop + (number - this.blocks.bounds(block)[0]) * this.line;
    this.element.scrollTop = near - this.element.clientHeight / 2;
    this.frame();
    const nodes = /** @type {any[]} */ ([...block.element.children]);
    const node = nodes.find((child) => child.plsNumber === number);
    if (node) {
      this.element.scrollTop = node.offsetTop - this.element.clientHeight / 2;
      node.classList.remove("pls-flash");
      void node.offsetWidth; // restarts the animation

      node.classList.add("pls-flash");
    }
    return true;
  }

  texts() {
    const texts = [];
    for (let number = this.store.first; number < this.store.shownEnd; number++) {
      const row = this.store.rows.get(number);
      if (row !== undefined && this.shown(row)) texts.push(rowText(row));
    }
    return texts;
  }
}
