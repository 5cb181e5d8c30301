/** Requests for rows and displays that the page does not have. */

/** @import { Store } from "./store.js" */

import { SECOND } from "./figures.js";

const PATIENCE = 2_000; // ms before a request is repeated; doubled after each unanswered request

/** @typedef {[first: number, end: number]} Range numbers from `first` up to but not including `end` */

/**
 * Return the ranges that are in both lists.
 *
 * @param {Range[]} ranges in order
 * @param {Range[]} others in order
 */
function common(ranges, others) {
  /** @type {Range[]} */
  const found = [];
  for (const [a, b] of ranges) {
    for (const [c, d] of others) {
      if (Math.max(a, c) < Math.min(b, d)) found.push([Math.max(a, c), Math.min(b, d)]);
    }
  }
  return found;
}

/**
 * Requests the missing parts of a store. Rows are requested only if they stay missing: in a flood the kernel
 * leaves rows out and sends them later. A busy kernel answers late, so requests must not pile up.
 */
export class Repair {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.seq = 0; // number of the newest message to all pages
    this.missed = false; // a message was lost
    /** @type {Set<number>} */
    this.stale = new Set(); // rows that a lost message may have changed
    /** @type {Range[]} */
    this.before = []; // the ranges that were missing a second ago
    /** @type {Range[]} */
    this.promised = []; // the ranges that the kernel left out in a flood and will send
    /** @type {Set<string>} */
    this.wanted = new Set(); // displays that were requested
    this.timer = 0;
    this.answeredAt = 0;
    this.askAgain = 0; // when the next request may be sent
    this.patience = PATIENCE;
  }

  /** Request all rows when the first view is shown; for the next one, only those that are missing. */
  start() {
    if (this.askAgain) this.watch();
    else this.hello();
  }

  hello() {
    this.askAgain = performance.now() + this.patience;
    this.store.send({ type: "hello", view: this.store.id });
  }

  /**
   * Follow the numbers of messages to all pages, and return true if one is missing.
   *
   * @param {number} seq
   * @param {boolean} asOf `seq` is the number of the newest message to all pages, not of this message
   */
  track(seq, asOf) {
    const hole = seq > this.seq + (asOf ? 0 : 1);
    if (hole) {
      this.missed = true;
      for (const number of this.store.rows.keys()) this.stale.add(number);
    }
    if (seq > this.seq) this.seq = seq;
    return hole;
  }

  onAnswer() {
    this.answeredAt = performance.now();
    this.patience = PATIENCE;
  }

  /**
   * Request a display soon, with others that are wanted at the same time.
   *
   * @param {string} id
   */
  want(id) {
    if (this.wanted.has(id)) return;
    if (!this.wanted.size) queueMicrotask(() => this.requestDisplays());
    this.wanted.add(id);
    this.watch();
  }

  /** Return the ranges of rows that are missing or stale and that the kernel has not promised to send. */
  missing() {
    const { first, end, rows } = this.store;
    /** @type {Range[]} */
    const ranges = [];
    let at = 0;
    for (let number = first; number < end; number++) {
      while (at < this.promised.length && this.promised[at][1] <= number) at++;
      if (at < this.promised.length && this.promised[at][0] <= number) continue;
      if (rows.has(number) && !this.stale.has(number)) continue;
      const last = ranges.at(-1);
      if (last && last[1] === number) last[1]++;
      else ranges.push([number, number + 1]);
    }
    return ranges;
  }

  watch() {
    if (!this.timer) this.timer = setTimeout(() => this.repair(), SECOND);
  }

  repair() {
    this.timer = 0;
    if (!this.store.areas.size) return; // the next view restarts it
    const missing = this.missing();
    const lasting = common(missing, this.before);
    this.before = missing;
    if (!missing.length && !this.missed && !this.wanted.size) return;
    this.watch();
    const now = performance.now();
    if (now < this.askAgain || now < this.answeredAt + SECOND) return;
    if (!this.missed && !lasting.length && !this.wanted.size) return;
    this.askAgain = now + this.patience;
    this.patience = Math.min(2 * this.patience, 60 * SECOND);
    if (this.missed) this.hello();
    else for (const [first, end] of lasting.slice(-4)) this.request(first, end);
    this.requestDisplays();
  }

  /**
   * @param {number} first
   * @param {number} end
   */
  request(first, end) {
    this.store.send({ type: "rows", view: this.store.id, first, end });
  }

  requestDisplays() {
    if (!this.wanted.size) return;
    this.store.send({ type: "displays", view: this.store.id, ids: [...this.wanted] });
  }

  close() {
    clearTimeout(this.timer);
  }
}
