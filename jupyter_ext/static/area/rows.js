/** The rows in a box that scrolls, of which only those near its view have elements. */

import { drawn } from "./displays.js";
import { h, setText } from "./elements.js";
import { plural } from "./figures.js";
import { opened, rowNode, rowText } from "./row.js";

const BLOCK = 16; // rows that get or lose their elements together
const BUDGET = 8; // ms of a frame for rows that are near but not seen
const KEPT = 20_000; // rows kept for a reader who has scrolled up while more come,
const KEPT_SIZE = 32_000_000; // and their characters, with those of the rows that the kernel has
const SHRINK = 1_500; // ms after which the box may be lower
const DRAWN_KEPT = 32; // displays whose elements stay where they are while they are out of sight

/** Says that it has come into the page or has been moved in it, which no observer tells. */
class Place extends HTMLElement {
  connectedCallback() {
    this.dispatchEvent(new Event("placed"));
  }
}
if (!customElements.get("pls-place")) customElements.define("pls-place", Place); // each widget brings this module

/**
 * The rows in a box that scrolls. All blocks of 16 rows have an element, so positions are the browser's
 * to know; only those near the part that is seen are filled, the others are as high as they were or
 * would be. It follows the end until the reader scrolls up; then it keeps what the reader may want to see.
 */
export class Rows {
  constructor(store, onfollow) {
    this.store = store;
    this.onfollow = onfollow;
    this.following = true;
    this.start = 0; // of what is kept for a reader who does not follow,
    this.until = 0; // and its end
    this.blocks = []; // neighbours, in order
    this.whole = new Set(); // long rows that are shown in full
    this.hidden = new Set(); // sources filtered out
    this.displays = new Set(); // their elements, the oldest first
    this.line = 17;
    this.lastTop = 0;
    this.placed = false; // since the last frame
    this.listHeight = 0; // when the box was at its highest,
    this.boxHeight = 0; // and that
    this.shrinks = 0;
    this.framed = 0;
    this.probe = h("div", { class: "pls-row pls-probe", "aria-hidden": "true" }, "x");
    this.earlier = h("div", { class: "pls-earlier", hidden: true });
    this.list = h("div", { class: "pls-list" });
    this.element = h(
      "div",
      {
        class: "pls-rows", role: "log", "aria-live": "off", tabindex: 0, hidden: true,
        onscroll: () => this.scrolled(),
        onwheel: (event) => event.deltaY < 0 && this.hold(),
      },
      this.probe, this.earlier, this.list, h("pls-place", { hidden: true, onplaced: () => this.place() }),
    );
    this.resizes = new ResizeObserver(() => this.resized());
    this.resizes.observe(this.element);
    this.resizes.observe(this.list);
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

  holds(number) {
    return !this.following && number >= this.start && number < this.until;
  }

  /** What the kernel has now stays, and what comes as long as there is room. */
  keep() {
    this.start = this.store.first;
    this.until = Math.max(this.start + KEPT, this.store.end);
  }

  bound() {
    if (this.store.size > KEPT_SIZE) this.until = Math.min(this.until, this.store.end);
  }

  /** Stay where the reader is. */
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

  place() {
    this.placed = true;
    this.schedule();
  }

  scrolled() {
    if (this.placed) return; // not by the reader
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    if (scrollHeight - clientHeight - scrollTop < 4) this.follow();
    else if (scrollTop < this.lastTop - 1) this.hold();
    this.lastTop = scrollTop;
    this.schedule();
  }

  resized() {
    if (this.element.classList.contains("pls-wrap") && this.width !== this.element.clientWidth) this.forget();
    this.width = this.element.clientWidth;
    this.schedule();
  }

  /** Heights that were measured hold no longer. */
  forget() {
    for (const block of this.blocks) block.height = null;
    this.shrink();
  }

  /** The box is as high as what is in it. */
  shrink() {
    clearTimeout(this.shrinks);
    this.shrinks = 0;
    this.listHeight = 0;
    this.element.style.minHeight = "";
    this.schedule();
  }

  /** The box grows at once and shrinks later: all below it would jump at each form of a table that changes. */
  keepHeight() {
    const { element } = this;
    const height = this.list.offsetHeight;
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

  wrap(on) {
    this.element.classList.toggle("pls-wrap", on);
    this.forget();
  }

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
    if (!element.clientHeight) return; // folded, or not in the page: the observer wakes it
    if (this.placed) element.scrollTop = this.lastTop; // it was scrolled to the top by that
    this.placed = false;
    if (this.following && this.selected()) this.hold();
    const anchor = this.following ? null : this.anchor();
    this.line = this.probe.getBoundingClientRect().height || this.line;
    setText(this.earlier, `${plural(this.first, "earlier line")} in the log only`);
    this.earlier.hidden = !this.first;
    this.arrange();
    const steady = this.fill();
    this.keepHeight();
    if (this.following) element.scrollTop = element.scrollHeight;
    else if (anchor && anchor.block.element.isConnected) this.goTo(anchor.block.element.offsetTop + anchor.within);
    this.lastTop = element.scrollTop;
    if (!steady) this.schedule();
  }

  /** Scroll, unless it is there: a scroll that goes on smoothly would end. */
  goTo(top) {
    if (Math.abs(this.element.scrollTop - top) > 1) this.element.scrollTop = top;
  }

  home() {
    this.hold();
    this.goTo(0);
  }

  /** Whether the reader is selecting text here, which must not move. */
  selected() {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.list.contains(selection.anchorNode));
  }

  anchor() {
    const top = this.element.scrollTop;
    const block = this.blocks.findLast((other) => other.element.offsetTop <= top) || this.blocks[0];
    return block && { block, within: top - block.element.offsetTop };
  }

  /** One block for each 16 numbers of the range, and no other. */
  arrange() {
    const [low, high] = [Math.floor(this.first / BLOCK), Math.ceil(this.end / BLOCK)];
    if (this.blocks.length && this.blocks.at(-1).index < low) this.renumber(low);
    const outside = (block) => block && (block.index < low || block.index >= high);
    while (outside(this.blocks[0])) this.blocks.shift().element.remove();
    while (outside(this.blocks.at(-1))) this.blocks.pop().element.remove();
    if (this.blocks.length && this.blocks[0].index > low) {
      this.list.replaceChildren();
      this.blocks = [];
    }
    const added = [];
    for (let index = this.blocks.length ? this.blocks.at(-1).index + 1 : low; index < high; index++) {
      added.push({ index, element: h("div", { class: "pls-block" }), filled: false, height: null, rows: 0 });
    }
    this.list.append(...added.map((block) => block.element));
    this.blocks.push(...added);
    for (const display of this.displays) if (!this.list.contains(display)) this.displays.delete(display);
  }

  /** In a flood all are new: other elements in their places would have to be laid out. */
  renumber(low) {
    this.blocks.forEach((block, at) => {
      block.index = low + at;
      block.height = null;
    });
    this.displays.clear();
  }

  bounds(block) {
    return [Math.max(this.first, block.index * BLOCK), Math.min(this.end, (block.index + 1) * BLOCK)];
  }

  shown(row) {
    return !this.hidden.size || (row !== undefined && !this.hidden.has(opened(row).s || ""));
  }

  /** How many lines a block would have. */
  lines(block) {
    const [from, to] = this.bounds(block);
    if (!this.hidden.size) return to - from;
    let lines = 0;
    for (let number = from; number < to; number++) lines += this.shown(this.store.rows.get(number)) ? 1 : 0;
    return lines;
  }

  measure(block) {
    if (block.filled) {
      block.height = block.element.getBoundingClientRect().height;
      return;
    }
    const lines = this.lines(block);
    if (block.height === null || block.rows !== lines) block.height = lines * this.line;
    block.rows = lines;
  }

  /** Fill the blocks that are seen, then those near them, and empty the others. False if more is to do. */
  fill() {
    const room = this.element.clientHeight;
    this.blocks.forEach((block) => this.measure(block));
    const total = this.blocks.reduce((sum, block) => sum + block.height, 0);
    const top = this.following ? total - room : this.element.scrollTop - this.list.offsetTop;
    const near = [];
    let at = 0;
    for (const block of this.blocks) {
      const away = Math.max(0, top - at - block.height, at - top - room);
      at += block.height;
      if (away <= room / 2) near.push({ block, away });
      else this.empty(block);
    }
    const began = performance.now();
    let steady = true;
    for (const { block, away } of near.sort((one, other) => one.away - other.away)) {
      if (!block.filled) steady = false;
      if (block.filled || !away || performance.now() < began + BUDGET) this.draw(block);
      else this.empty(block);
    }
    return steady;
  }

  /** Large tables take too long to be made, and laid out, each time that they come into sight. */
  stays(block) {
    return block.filled && [...this.displays].some((node) => block.element.contains(node));
  }

  empty(block) {
    if (this.stays(block)) return;
    if (block.filled) {
      block.element.replaceChildren();
      block.rows = this.lines(block);
    }
    block.filled = false;
    const height = `${block.height}px`;
    if (block.element.style.height !== height) block.element.style.height = height;
  }

  /** Bring the elements of a block to what its rows are; those of unchanged rows stay. */
  draw(block) {
    block.filled = true;
    block.element.style.height = "";
    let at = block.element.firstChild;
    for (const item of this.items(block)) {
      while (at && at.plsNumber < item.number) at = this.remove(at);
      if (at && at.plsNumber === item.number && at.plsContent === item.content) {
        at = at.nextSibling;
        continue;
      }
      const node = item.make();
      node.plsNumber = item.number;
      node.plsContent = item.content;
      if (at && at.plsNumber === item.number) at = this.remove(at);
      block.element.insertBefore(node, at);
    }
    while (at) at = this.remove(at);
  }

  remove(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }

  /** What stands in a block: rows, and a line for neighbours that are not here. */
  items(block) {
    const [from, to] = this.bounds(block);
    const items = [];
    let hole = null;
    for (let number = from; number < to; number++) {
      const row = this.store.rows.get(number);
      if (row !== undefined) hole = null;
      if (!this.shown(row)) continue;
      if (row !== undefined) items.push({ number, content: row, make: () => this.row(number, row) });
      else if (hole) hole.size++;
      else items.push((hole = { number, size: 1 }));
    }
    for (const item of items) {
      if (!item.size) continue;
      item.content = `${item.size} ${item.number < this.store.first}`;
      item.make = () => this.hole(item);
    }
    return items;
  }

  row(number, row) {
    return rowNode(row, {
      whole: this.whole.has(number),
      onmore: (event) => {
        this.whole.add(number);
        event.target.closest(".pls-row").plsContent = null;
        this.schedule();
      },
      colourOf: (source) => this.colourOf(source),
      displayNode: (id) => this.displayNode(id),
    });
  }

  colourOf(source) {
    const at = (this.store.get("status").sources || []).indexOf(source);
    return `var(--pls-s${Math.max(0, at) % 8})`;
  }

  displayNode(id) {
    const node = h("div", { class: "pls-display" });
    node.dataset.display = id;
    this.fillDisplay(node);
    this.displays.add(node);
    if (this.displays.size > DRAWN_KEPT) this.displays.delete(this.displays.values().next().value);
    return node;
  }

  fillDisplay(node) {
    const bundle = this.store.display(node.dataset.display);
    if (bundle) node.replaceChildren(drawn(bundle));
  }

  /** Show the newest form of a display wherever it stands. */
  redisplay(id) {
    for (const node of this.list.querySelectorAll(".pls-display")) {
      if (node.dataset.display === id) this.fillDisplay(node);
    }
    this.schedule();
  }

  hole({ number, size }) {
    const text = number < this.store.first ? `${plural(size, "line")} in the log only` : `${plural(size, "line")} to come`;
    const node = h("div", { class: "pls-hole" }, text);
    node.style.height = `${size * this.line}px`;
    return node;
  }

  /** Bring a row to the middle, and mark it. False where the row is not here any more. */
  reveal(number) {
    if (!this.store.rows.has(number) || number >= this.store.shownEnd) return false;
    if (number < this.store.first && !this.holds(number)) return false; // it is there for another view
    this.hold();
    if (number >= this.end) { // more rows have come than are kept for a reader: they may go for this one
      this.keep();
      this.store.sweep();
    }
    this.frame();
    const block = this.blocks.find((other) => other.index === Math.floor(number / BLOCK));
    const near = block.element.offsetTop + (number - this.bounds(block)[0]) * this.line;
    this.element.scrollTop = near - this.element.clientHeight / 2;
    this.frame();
    const node = [...block.element.children].find((child) => child.plsNumber === number);
    if (node) {
      this.element.scrollTop = node.offsetTop - this.element.clientHeight / 2;
      node.classList.remove("pls-flash");
      void node.offsetWidth; // begins the animation anew
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
