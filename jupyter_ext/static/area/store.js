/** What the page has of one execution, and how it asks for what is missing. */

import { SECOND } from "./figures.js";
import { blank, sizeOf } from "./row.js";

export const UNFINISHED = new Set(["queued", "starting", "running"]);

const PATIENCE = 2_000; // ms until the kernel is asked again, doubled each time that nothing answers
const EARLY = 4; // displays that may have come before the rows they stand in
const QUIET = 15; // seconds of silence until the kernel is asked whether it is there, doubled each time
const SILENT = 25; // seconds of silence until the reader is told

/** Ranges of numbers that are in both; each is a sorted list of [from, to). */
function common(ranges, others) {
  const found = [];
  for (const [a, b] of ranges) {
    for (const [c, d] of others) if (Math.max(a, c) < Math.min(b, d)) found.push([Math.max(a, c), Math.min(b, d)]);
  }
  return found;
}

/**
 * What the page has of one execution. Areas are told of news by their methods.
 *
 * ``replace`` is called with the model that has taken the place of this one: another kernel has opened it.
 */
export class Store {
  constructor(model, manager, replace) {
    this.model = model;
    this.manager = manager;
    this.replace = replace;
    this.listeners = [];
    this.id = `page-${Math.random().toString(36).slice(2)}`; // who asks, where several pages share a model
    this.rows = new Map(); // by number
    this.size = 0; // of all of them, as `sizeOf` has it
    this.first = 0;
    this.end = 0;
    this.shownEnd = 0; // blank rows that follow are not shown: a cleared screen is made of them
    this.displays = new Map();
    this.areas = new Set();
    this.questions = 0; // numbers searches and logs
    this.seq = 0;
    this.stale = new Set(); // rows that may have changed in a message that never came
    this.missed = false;
    this.before = []; // what was missing a second ago
    this.promised = []; // what the kernel left out in a flood and is going to send
    this.wanted = new Set(); // displays asked for
    this.timer = 0;
    this.heard = 0;
    this.askAgain = 0;
    this.stays = 0; // until when the kernel need not be told again that somebody is busy here
    this.patience = PATIENCE;
    this.registered = null; // the model as the manager has it, which says whether its comm is live
    this.life = "live"; // or "silent", or "gone"
    this.cut = false; // nothing can be sent
    this.hear();
    this.statusCame = Date.now();
    this.on("msg:custom", (message, buffers) => this.take(message, buffers || []));
    this.on("change:status", () => (this.statusCame = Date.now()));
    for (const name of ["status", "bars", "question", "options"]) this.on(`change:${name}`, () => this.tell(name));
    this.on("change:tail", () => this.take({ type: "rows", tail: true, ...model.get("tail") }, []));
    for (const name of ["status", "bars", "question", "options", "tail"]) this.on(`change:${name}`, () => this.hear());
    this.on("msg:custom", () => this.hear());
    this.on("comm_live_update", () => this.judge());
    this.seq = model.get("tail")?.seq || 0;
    this.take({ type: "rows", tail: true, ...model.get("tail") }, []);
    this.look();
  }

  on(name, listener) {
    this.listeners.push([name, listener]);
    this.model.on(name, listener);
  }

  /** A view is there. Nothing is asked before: a kernel may have many areas that no notebook shows. */
  show(area) {
    this.areas.add(area);
    this.pulses ??= setInterval(() => this.pulse(), SECOND);
    if (this.askAgain) this.watch();
    else this.hello();
  }

  get(name) {
    return this.model.get(name);
  }

  /** Whether it could be sent. */
  send(content) {
    this.asking = true;
    try {
      this.model.send(content);
      return true;
    } catch (error) {
      console.debug("pyrepl-stream: no kernel hears this", error); // the header says so
      this.cut = true;
      this.judge();
      return false;
    }
  }

  tell(news, ...details) {
    for (const area of this.areas) area.news(news, ...details);
  }

  take(message, buffers) {
    if (message.to && message.to !== this.id) return;
    if (message.to) this.answered();
    if (message.type === "rows") this.takeRows(message);
    else if (message.type === "display") this.takeDisplay(message);
    else this.tell(message.type, message, buffers);
  }

  /** Messages to all pages are numbered without a hole; `asOf`: it only says which was the last. */
  track(seq, asOf) {
    const hole = seq > this.seq + (asOf ? 0 : 1);
    if (hole) this.miss();
    if (seq > this.seq) this.seq = seq;
    return hole;
  }

  takeRows({ seq, first = 0, end = 0, runs = [], skipped, to, tail, done }) {
    if (tail && seq < this.seq) return; // what came by message meanwhile is newer
    const hole = this.track(seq, to || tail);
    if (done && !hole) this.missed = false; // a display that was lost after the rows were sent is not among them
    if (!to && !tail) this.promised = skipped || [];
    for (let number = end; number < this.end; number++) this.remove(number); // an alternate screen was left
    this.end = end;
    for (const [number, rows] of runs) this.put(number, rows);
    this.trim(first);
    this.sweepDisplays();
    for (const area of this.areas) area.rows.bound();
    this.shownEnd = this.endOfText();
    this.watch();
    this.tell("rows");
  }

  endOfText() {
    let end = this.end;
    for (; end > this.first; end--) {
      const row = this.rows.get(end - 1);
      if (row === undefined || !blank(row)) break;
    }
    return end;
  }

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

  keeps(number) {
    if (number >= this.first) return true;
    for (const area of this.areas) if (area.rows.holds(number)) return true;
    return false;
  }

  /** The kernel has no rows before ``first`` any more; those that a reader is at stay here. */
  trim(first) {
    if (first <= this.first) return;
    const old = this.first;
    this.first = first;
    if (first - old < this.rows.size) for (let number = old; number < first; number++) this.drop(number);
    else this.sweep();
  }

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
    this.stale.delete(number);
  }

  /** Displays that no row has go, but for the newest. One whose row comes later still is asked for. */
  sweepDisplays() {
    if (this.displays.size <= EARLY) return;
    const kept = new Set([...this.displays.keys()].slice(-EARLY));
    for (const row of this.rows.values()) if (row.d) kept.add(row.d);
    for (const id of this.displays.keys()) if (!kept.has(id)) this.displays.delete(id);
  }

  takeDisplay({ id, bundle, seq, to }) {
    this.track(seq, to);
    this.displays.delete(id); // the newest is the last
    this.displays.set(id, bundle);
    this.sweepDisplays();
    this.wanted.delete(id);
    this.tell("display", id);
  }

  /** The display, or undefined until the kernel has sent it. */
  display(id) {
    const bundle = this.displays.get(id);
    if (bundle === undefined && !this.wanted.has(id)) {
      if (!this.wanted.size) queueMicrotask(() => this.askDisplays());
      this.wanted.add(id);
      this.watch();
    }
    return bundle;
  }

  // What is missing is asked for when it stays missing: in a flood the kernel leaves rows out by itself,
  // and one that is busy answers much later, so it must not find a hundred questions then.

  hello() {
    this.askAgain = performance.now() + this.patience;
    this.send({ type: "hello", view: this.id });
  }

  miss() {
    this.missed = true;
    for (const number of this.rows.keys()) this.stale.add(number);
  }

  answered() {
    this.heard = performance.now();
    this.patience = PATIENCE;
  }

  missing() {
    const ranges = [];
    let at = 0;
    for (let number = this.first; number < this.end; number++) {
      while (at < this.promised.length && this.promised[at][1] <= number) at++;
      if (at < this.promised.length && this.promised[at][0] <= number) continue;
      if (this.rows.has(number) && !this.stale.has(number)) continue;
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
    if (!this.areas.size) return; // the next view goes on
    const missing = this.missing();
    const lasting = common(missing, this.before);
    this.before = missing;
    if (!missing.length && !this.missed && !this.wanted.size) return;
    this.watch();
    const now = performance.now();
    if (now < this.askAgain || now < this.heard + SECOND) return;
    if (!this.missed && !lasting.length && !this.wanted.size) return;
    this.askAgain = now + this.patience;
    this.patience = Math.min(2 * this.patience, 60 * SECOND);
    if (this.missed) this.hello();
    else for (const [first, end] of lasting.slice(-4)) this.send({ type: "rows", view: this.id, first, end });
    this.askDisplays();
  }

  askDisplays() {
    if (this.wanted.size) this.send({ type: "displays", view: this.id, ids: [...this.wanted] });
  }

  // Whether the kernel is there. A restart ends the comm of the model. A kernel that was killed is noticed
  // as nothing can be sent, or as it is silent: but one that is only busy may be silent too.

  hear() {
    this.cut = false;
    this.asking = false; // something that it has not reacted to
    this.quiet = 0; // seconds in which it had something to say, and said nothing
    this.askLife = QUIET;
    this.heardAt = Date.now();
    this.judge();
  }

  judge() {
    const gone = this.cut || this.registered?.comm_live === false;
    const life = gone ? "gone" : this.quiet >= SILENT ? "silent" : "live";
    if (life === this.life && life !== "silent") return; // how long it is silent changes
    this.life = life;
    this.tell("life");
  }

  /** Each second: seconds that a page sleeps or a hidden one leaves out are no silence of the kernel. */
  pulse() {
    if (!this.areas.size) {
      clearInterval(this.pulses); // the next view goes on
      this.pulses = undefined;
      return;
    }
    this.look();
    if (this.life === "gone") return;
    this.quiet = this.asking || UNFINISHED.has(this.get("status")?.state) ? this.quiet + 1 : 0;
    if (this.quiet >= this.askLife) {
      this.askLife *= 2;
      this.send({ type: "ping", view: this.id });
    }
    this.judge();
  }

  /** Another kernel may have opened the model anew, by its id: no event says so. */
  async look() {
    const { id } = this.get("options") || {};
    if (!id || this.looks) return;
    this.looks = true;
    try {
      const found = await this.manager.get_model(id);
      const old = this.registered;
      this.registered = found;
      if (old && old !== found && !this.closed) this.replace(found);
      else this.judge();
    } catch (error) {
      console.debug("pyrepl-stream: no such model", error);
    }
    this.looks = false;
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearInterval(this.pulses);
    for (const [name, listener] of this.listeners) this.model.off(name, listener);
  }
}
