/** The page's copy of one execution: its rows and displays. */

/** @import { Area } from "./area.js" */
/** @import { LongRow, Row } from "./row.js" */

import { Life } from "./life.js";
import { Repair } from "./repair.js";
import { blank, sizeOf } from "./row.js";

const EARLY_DISPLAYS = 4; // displays that may arrive before the rows that they belong to
const TRAITS = ["status", "bars", "question", "options"];

/** The page's copy of one execution. It calls `onChange` of its areas when something has changed. */
export class Store {
  /**
   * @param {any} model of the widget
   * @param {any} manager of the widgets
   * @param {(model: any) => void} onReplaced called with the new model when another kernel opens it again
   */
  constructor(model, manager, onReplaced) {
    this.model = model;
    this.listeners = [];
    this.id = `page-${Math.random().toString(36).slice(2)}`; // several pages may share a model
    /** @type {Map<number, Row>} */
    this.rows = new Map(); // by number
    this.size = 0; // sum of `sizeOf` over the rows
    this.first = 0;
    this.end = 0;
    this.shownEnd = 0; // blank rows at the end, such as those of a cleared screen, are not shown
    /** @type {Map<string, any>} */
    this.displays = new Map();
    /** @type {Set<Area>} */
    this.areas = new Set();
    this.requests = 0; // numbers searches and logs
    this.busyUntil = 0; // time until which the kernel takes the reader to be busy here
    this.statusAt = Date.now();
    this.life = new Life(this, manager, onReplaced);
    this.repair = new Repair(this);
    this.on("msg:custom", (message, buffers) => this.onMessage(message, buffers || []));
    this.on("change:status", () => (this.statusAt = Date.now()));
    for (const name of TRAITS) this.on(`change:${name}`, () => this.notify(name));
    this.on("change:tail", () => this.onTail());
    for (const name of [...TRAITS, "tail"]) this.on(`change:${name}`, () => this.life.onReceived());
    this.on("msg:custom", () => this.life.onReceived());
    this.on("comm_live_update", () => this.life.update());
    this.repair.seq = model.get("tail")?.seq || 0;
    this.onTail();
    this.life.findModel();
  }

  on(name, listener) {
    this.listeners.push([name, listener]);
    this.model.on(name, listener);
  }

  /**
   * Add a view. Nothing is requested before the first: a kernel may have many areas that no notebook shows.
   *
   * @param {Area} area
   */
  show(area) {
    this.areas.add(area);
    this.life.watch();
    this.repair.start();
  }

  get(name) {
    return this.model.get(name);
  }

  /**
   * Send a message to the kernel. Return false if that failed.
   *
   * @param {{ type: string, [name: string]: any }} content
   */
  send(content) {
    this.life.onSent();
    try {
      this.model.send(content);
      return true;
    } catch (error) {
      console.debug("pyrepl-stream: the kernel is gone", error); // the area shows that
      this.life.onCut();
      return false;
    }
  }

  notify(name, content = null, buffers = []) {
    for (const area of this.areas) area.onChange(name, content, buffers);
  }

  onTail() {
    this.onRows({ tail: true, ...this.model.get("tail") });
  }

  onMessage(message, buffers) {
    if (message.to && message.to !== this.id) return;
    if (message.to) this.repair.onAnswer();
    if (message.type === "rows") this.onRows(message);
    else if (message.type === "display") this.onDisplay(message);
    else this.notify(message.type, message, buffers);
  }

  onRows({ seq, first = 0, end = 0, runs = [], skipped = [], to = "", tail = false, done = false }) {
    if (tail && seq < this.repair.seq) return; // newer rows have arrived in messages
    const hole = this.repair.track(seq, Boolean(to) || tail);
    if (done && !hole) this.repair.missed = false; // with a hole, a display was lost after the rows were sent
    if (!to && !tail) this.repair.promised = skipped || [];
    for (let number = end; number < this.end; number++) this.remove(number); // the alternate screen was left
    this.end = end;
    for (const [number, rows] of runs) this.put(number, rows);
    this.trim(first);
    this.sweepDisplays();
    for (const area of this.areas) area.rows.bound();
    this.shownEnd = this.endOfText();
    this.repair.watch();
    this.notify("rows");
  }

  endOfText() {
    let end = this.end;
    for (; end > this.first; end--) {
      const row = this.rows.get(end - 1);
      if (row === undefined || !blank(row)) break;
    }
    return end;
  }

  /**
   * @param {number} number of the first row
   * @param {Row[]} rows
   */
  put(number, rows) {
    for (const row of rows) {
      this.remove(number);
      if (this.keeps(number)) {
        this.rows.set(number, row);
        this.size += sizeOf(row);
      }
      number++;
    }
  }

  /** @param {number} number */
  keeps(number) {
    if (number >= this.first) return true;
    for (const area of this.areas) if (area.rows.holds(number)) return true;
    return false;
  }

  /**
   * Drop the rows before `first`, which the kernel no longer has, except those that a reader is looking at.
   *
   * @param {number} first
   */
  trim(first) {
    if (first <= this.first) return;
    const old = this.first;
    this.first = first;
    if (first - old < this.rows.size) for (let number = old; number < first; number++) this.drop(number);
    else this.sweep();
  }

  /** Drop the rows and displays that are no longer needed. */
  sweep() {
    for (const number of this.rows.keys()) this.drop(number);
    this.sweepDisplays();
  }

  drop(number) {
    if (!this.keeps(number)) this.remove(number);
  }

  remove(number) {
    const row = this.rows.get(number);
    if (row !== undefined) this.size -= sizeOf(row);
    this.rows.delete(number);
    this.repair.stale.delete(number);
  }

  /** Drop displays without a row, except the newest ones. If the row of one comes later, it is requested. */
  sweepDisplays() {
    if (this.displays.size <= EARLY_DISPLAYS) return;
    const kept = new Set([...this.displays.keys()].slice(-EARLY_DISPLAYS));
    for (const row of this.rows.values()) {
      const { d } = /** @type {LongRow} */ (row); // undefined in the short forms
      if (d) kept.add(d);
    }
    for (const id of this.displays.keys()) if (!kept.has(id)) this.displays.delete(id);
  }

  onDisplay({ id, bundle, seq, to }) {
    this.repair.track(seq, Boolean(to));
    this.displays.delete(id); // keeps the newest display last
    this.displays.set(id, bundle);
    this.sweepDisplays();
    this.repair.wanted.delete(id);
    this.notify("display", id);
  }

  /**
   * Return a display. Return undefined, and request it, if the page does not have it.
   *
   * @param {string} id
   */
  display(id) {
    const bundle = this.displays.get(id);
    if (bundle === undefined) this.repair.want(id);
    return bundle;
  }

  close() {
    this.life.close();
    this.repair.close();
    for (const [name, listener] of this.listeners) this.model.off(name, listener);
  }
}
