/** The elements of the rows, in blocks; only those near the visible part are filled. */

/** @import { Rows } from "./rows.js" */

import { displayElement } from "./displays.js";
import { h } from "./elements.js";
import { plural } from "./figures.js";
import { rowNode } from "./row.js";

const BLOCK = 16; // rows that get or lose their elements together
const BUDGET = 8; // ms of each frame to spend on rows near the visible part
const KEPT_DISPLAYS = 32; // displays whose elements are kept while they are out of sight

/**
 * A block of up to 16 rows. `height` is in pixels, and null if it is not known.
 *
 * @typedef {object} Block
 * @property {number} index number of the first row, divided by 16
 * @property {HTMLElement} element
 * @property {boolean} filled
 * @property {number | null} height
 * @property {number} rows number of lines that the block would have, while it is not filled
 */

/** @typedef {{ number: number, content: any, make: () => HTMLElement }} Item a row or a hole of a block */

/**
 * The blocks. Every block of 16 rows has an element, so that the browser knows the positions. Only blocks near
 * the visible part are filled; the others have the height that they had or would have.
 */
export class Blocks {
  /** @param {Rows} rows */
  constructor(rows) {
    this.rows = rows;
    this.store = rows.store;
    this.list = h("div", { class: "pls-list" });
    /** @type {Block[]} */
    this.blocks = []; // consecutive
    /** @type {Set<number>} */
    this.whole = new Set(); // long rows that are shown in full
    /** @type {Set<HTMLElement>} */
    this.displays = new Set(); // elements of displays, the oldest first
  }

  /** Forget the heights that were measured. */
  forget() {
    for (const block of this.blocks) block.height = null;
  }

  /**
   * Return the block at a position, and the offset within it.
   *
   * @param {number} top
   */
  anchor(top) {
    const block = this.blocks.findLast((other) => other.element.offsetTop <= top) || this.blocks[0];
    return block && { block, within: top - block.element.offsetTop };
  }

  /**
   * Return the block of a row.
   *
   * @param {number} number
   */
  find(number) {
    return this.blocks.find((block) => block.index === Math.floor(number / BLOCK));
  }

  /** Make one block for each 16 numbers of the range, and remove the others. */
  arrange() {
    const [low, high] = [Math.floor(this.rows.first / BLOCK), Math.ceil(this.rows.end / BLOCK)];
    const newest = this.blocks.at(-1);
    if (newest && newest.index < low) this.renumber(low);
    const outside = (block) => block && (block.index < low || block.index >= high);
    while (outside(this.blocks[0])) this.blocks.shift()?.element.remove();
    while (outside(this.blocks.at(-1))) this.blocks.pop()?.element.remove();
    if (this.blocks.length && this.blocks[0].index > low) {
      this.list.replaceChildren();
      this.blocks = [];
    }
    /** @type {Block[]} */
    const added = [];
    for (let index = (this.blocks.at(-1)?.index ?? low - 1) + 1; index < high; index++) {
      added.push({ index, element: h("div", { class: "pls-block" }), filled: false, height: null, rows: 0 });
    }
    this.list.append(...added.map((block) => block.element));
    this.blocks.push(...added);
    for (const display of this.displays) if (!this.list.contains(display)) this.displays.delete(display);
  }

  /**
   * Reuse the elements when all rows are new, as in a flood: new elements would require another layout.
   *
   * @param {number} low index of the first block
   */
  renumber(low) {
    this.blocks.forEach((block, at) => {
      block.index = low + at;
      block.height = null;
    });
    this.displays.clear();
  }

  /** @param {Block} block */
  bounds(block) {
    return [Math.max(this.rows.first, block.index * BLOCK), Math.min(this.rows.end, (block.index + 1) * BLOCK)];
  }

  /**
   * Return the number of lines that the block has once it is filled.
   *
   * @param {Block} block
   */
  lines(block) {
    const [from, to] = this.bounds(block);
    if (!this.rows.hidden.size) return to - from;
    let lines = 0;
    for (let number = from; number < to; number++) {
      if (this.rows.shown(this.store.rows.get(number))) lines++;
    }
    return lines;
  }

  /**
   * Return the height of a block, measured if it is filled.
   *
   * @param {Block} block
   */
  measure(block) {
    if (block.filled) return (block.height = block.element.getBoundingClientRect().height);
    const lines = this.lines(block);
    if (block.height === null || block.rows !== lines) block.height = lines * this.rows.line;
    block.rows = lines;
    return block.height;
  }

  /** Fill the visible blocks, then those near them, and empty the others. Return false if more is left. */
  fill() {
    const room = this.rows.element.clientHeight;
    const heights = this.blocks.map((block) => this.measure(block));
    const total = heights.reduce((sum, height) => sum + height, 0);
    const top = this.rows.following ? total - room : this.rows.element.scrollTop - this.list.offsetTop;
    const near = [];
    let at = 0;
    for (const [place, block] of this.blocks.entries()) {
      const away = Math.max(0, top - at - heights[place], at - top - room);
      at += heights[place];
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

  /**
   * True if a block stays filled out of sight: large tables are slow to make and to lay out.
   *
   * @param {Block} block
   */
  stays(block) {
    return block.filled && [...this.displays].some((node) => block.element.contains(node));
  }

  /** @param {Block} block */
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

  /**
   * Update the elements of a block. The elements of unchanged rows stay.
   *
   * @param {Block} block
   */
  draw(block) {
    block.filled = true;
    block.element.style.height = "";
    /** @type {any} */
    let at = block.element.firstChild;
    for (const item of this.items(block)) {
      while (at && at.plsNumber < item.number) at = this.remove(at);
      if (at && at.plsNumber === item.number && at.plsContent === item.content) {
        at = at.nextSibling;
        continue;
      }
      /** @type {any} */
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

  /**
   * Return the rows of a block, and a hole for each range of rows that the page does not have.
   *
   * @param {Block} block
   */
  items(block) {
    const [from, to] = this.bounds(block);
    /** @type {Item[]} */
    const items = [];
    for (let number = from; number < to; number++) {
      const row = this.store.rows.get(number);
      if (!this.rows.shown(row)) continue;
      if (row !== undefined) {
        items.push({ number, content: row, make: () => this.row(number, row) });
        continue;
      }
      const start = number;
      while (number + 1 < to && !this.store.rows.has(number + 1)) number++;
      const size = number + 1 - start;
      const content = `${size} ${start < this.store.first}`;
      items.push({ number: start, content, make: () => this.hole(start, size) });
    }
    return items;
  }

  row(number, row) {
    return rowNode(row, {
      whole: this.whole.has(number),
      onmore: (event) => {
        this.whole.add(number);
        const node = /** @type {Element} */ (event.target).closest(".pls-row");
        /** @type {any} */ (node).plsContent = null;
        this.rows.schedule();
      },
      colourOf: (source) => this.rows.colourOf(source),
      displayNode: (id) => this.displayNode(id),
    });
  }

  /** @param {string} id of the display */
  displayNode(id) {
    const node = h("div", { class: "pls-display" });
    node.dataset.display = id;
    this.fillDisplay(node);
    this.displays.add(node);
    const [oldest] = this.displays;
    if (this.displays.size > KEPT_DISPLAYS) this.displays.delete(oldest);
    return node;
  }

  /** @param {HTMLElement} node */
  fillDisplay(node) {
    const bundle = this.store.display(node.dataset.display ?? "");
    if (bundle) node.replaceChildren(displayElement(bundle));
  }

  /**
   * Show the new content of a display everywhere.
   *
   * @param {string} id
   */
  redisplay(id) {
    const nodes = /** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll(".pls-display"));
    for (const node of nodes) if (node.dataset.display === id) this.fillDisplay(node);
    this.rows.schedule();
  }

  /**
   * Make the element for rows that the page does not have.
   *
   * @param {number} number of the first one
   * @param {number} size
   */
  hole(number, size) {
    const where = number < this.store.first ? "in the log only" : "to come";
    const node = h("div", { class: "pls-hole" }, `${plural(size, "line")} ${where}`);
    node.style.height = `${size * this.rows.line}px`;
    return node;
  }
}
