/** One view of an execution: header, rows, bars, question, search, notes. */

import { Bars } from "./bars.js";
import { button, h, setText } from "./elements.js";
import { bytesText, count, durationText, plural, SECOND } from "./figures.js";
import { Log } from "./log.js";
import { Question } from "./question.js";
import { opened, rowText } from "./row.js";
import { Rows } from "./rows.js";
import { Search } from "./search.js";
import { UNFINISHED } from "./store.js";

const STATES = {
  queued: "queued",
  starting: "starting",
  running: "running",
  ok: "done",
  error: "failed",
  interrupted: "interrupted",
  timeout: "timed out",
  killed: "killed",
  lost: "lost",
  unknown: "not known",
};
const LONG_RUN = 60; // seconds; the end of a longer run in a hidden tab is worth a notification

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const box = h("textarea", { "aria-hidden": "true", class: "pls-unseen" }); // pages without https have no clipboard
    box.value = text;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}

const SUPPRESS = "data-lm-suppress-shortcuts"; // of Lumino: keys at such a node, or below it, are no shortcuts
const EDITS = "admz"; // with Ctrl they edit text, or cells
const LEASE = 3 * SECOND; // between two messages which say that somebody is busy here; the kernel remembers one for longer

/** One view. */
export class Area {
  constructor(store, element) {
    this.store = store;
    this.folded = false;
    this.asked = 0; // when Stop was clicked
    this.status = {};
    this.hidden = new Set();
    this.leftAt = 0; // when the focus went from here to nowhere, also as the area was taken away
    this.makeParts();
    this.root = h(
      "section",
      {
        class: "pls", "aria-label": "Output",
        onkeydown: (event) => this.key(event),
        oninput: () => this.stay(),
        onfocusout: (event) => (this.leftAt = event.relatedTarget ? 0 : performance.now()),
      },
      this.head, this.body, this.spoken,
    );
    element.append(this.root);
    store.show(this);
    for (const name of ["options", "status", "bars", "question", "rows", "life"]) this.news(name);
    this.ticks = setInterval(() => this.tick(), SECOND);
    this.passes = (event) => this.passShortcuts(event);
    window.addEventListener("keydown", this.passes, true); // JupyterLab looks when it passes the document
    this.selects = () => this.stay();
    document.addEventListener("selectionchange", this.selects);
  }

  makeParts() {
    const { store } = this;
    this.rows = new Rows(store, () => this.showEnd());
    this.bars = new Bars();
    this.question = new Question(store, { say: (text) => this.say(text), onleave: () => this.catchFocus() });
    this.search = new Search(store, { onfound: (number) => this.reveal(number), onclose: () => this.openSearch(false) });
    this.log = new Log(store, (text) => this.say(text));
    this.chips = h("div", { class: "pls-chips", role: "group", "aria-label": "Sources", hidden: true });
    this.toEnd = button("end", "To the end", () => this.rows.follow(), "End");
    this.toEnd.classList.add("pls-to-end");
    this.toEnd.hidden = true;
    this.failure = h("div", { class: "pls-failure", hidden: true });
    this.gone = h("div", { class: "pls-gone", hidden: true });
    this.note = h("div", { class: "pls-note", hidden: true });
    this.spoken = h("div", { class: "pls-unseen", role: "status", "aria-live": "polite" });
    const scroll = h("div", { class: "pls-scroll" }, this.rows.element, this.toEnd);
    this.body = h("div", { class: "pls-body" }, this.search.element, this.chips, scroll, this.bars.element, this.question.element, this.failure, this.gone, this.note);
    this.makeHead();
  }

  makeHead() {
    this.fold = button("fold", "Hide the output", () => this.setFolded(!this.folded));
    this.describeFold();
    this.state = h("span", { class: "pls-state" });
    this.what = h("span", { class: "pls-what" });
    this.facts = h("span", { class: "pls-facts" });
    this.stop = button("stop", "Stop", () => this.stopOrKill(), "Stop");
    this.wrap = button("wrap", "Wrap long lines", () => this.setWrap(!this.wrapped));
    this.find = button("search", "Search the whole log", () => this.openSearch(this.search.element.hidden));
    this.bell = button("bell", "Notify me at the end", () => this.ring());
    this.tools = h(
      "div",
      { class: "pls-tools", role: "group", "aria-label": "Actions" },
      this.stop, this.bell, this.find, this.wrap,
      button("copy", "Copy the lines", () => this.copy()),
      button("save", "Save the whole log", () => this.save()),
    );
    this.head = h("div", { class: "pls-head" }, this.fold, this.state, this.what, this.facts, this.tools);
  }

  close() {
    // Whoever was asked something, and was here until the area went, goes on where they were.
    if (performance.now() < this.leftAt + SECOND && document.activeElement === document.body) this.question.before?.focus({ preventScroll: true });
    clearInterval(this.ticks);
    clearTimeout(this.noteTimer);
    window.removeEventListener("keydown", this.passes, true);
    document.removeEventListener("selectionchange", this.selects);
    this.question.close();
    this.rows.close();
    this.store.areas.delete(this);
    this.store.sweep();
    this.root.remove();
  }

  /** What the store has to say. */
  news(name, ...details) {
    if (name === "rows") this.rowsCame();
    else if (name === "status") this.setStatus(this.store.get("status") || {});
    else if (name === "bars") this.bars.update(this.store.get("bars") || []);
    else if (name === "question") this.ask(this.store.get("question"));
    else if (name === "options") this.setOptions(this.store.get("options") || {});
    else if (name === "display") this.rows.redisplay(...details);
    else if (name === "found") this.search.found(...details);
    else if (name === "log") this.log.take(...details);
    else if (name === "answered") this.question.answered(...details);
    else if (name === "note") this.say(details[0].text);
    else if (name === "life") this.alive();
  }

  rowsCame() {
    this.rows.element.hidden = this.store.shownEnd <= this.store.first;
    this.rows.schedule();
    this.describeFailure();
  }

  showEnd() {
    this.toEnd.hidden = this.rows.following;
    this.stay();
  }

  setOptions({ height = 24, wrap = false }) {
    this.root.style.setProperty("--pls-height", Math.max(1, height));
    this.setWrap(wrap);
  }

  setWrap(on) {
    this.wrapped = on;
    this.wrap.setAttribute("aria-pressed", on);
    this.rows.wrap(on);
  }

  setFolded(on) {
    this.folded = on;
    this.body.hidden = on;
    this.root.classList.toggle("pls-closed", on);
    this.describeFold();
  }

  describeFold() {
    this.fold.setAttribute("aria-expanded", !this.folded);
    const label = this.folded ? "Show the output" : "Hide the output";
    this.fold.setAttribute("aria-label", label);
    this.fold.title = label;
  }

  // ---- header

  setStatus(status) {
    const before = this.status || {};
    this.status = status;
    this.describe(status);
    this.describeStop(status);
    this.describeChips(status.sources || []);
    this.tick();
    this.describeFailure();
    if (status.state !== before.state) this.announce(before.state);
  }

  /** What went wrong, unless the last lines say so. */
  describeFailure() {
    const { error = "" } = this.status;
    let said = "";
    const end = this.store.shownEnd;
    for (let number = end - 3; number < end; number++) said += rowText(this.store.rows.get(number) || "");
    setText(this.failure, error);
    this.failure.hidden = !error || said.includes(error);
  }

  describe({ state = "queued", target = "", job = "", name = "", command = "", title = "", detached = false, input = false }) {
    this.root.dataset.state = state;
    this.root.setAttribute("aria-label", `Output of ${job || name || target || "a run"}`);
    this.rows.element.setAttribute("aria-label", `Lines of ${job || name || target || "a run"}`);
    const words = state === "running" && input ? "waiting for input" : STATES[state] || state;
    setText(this.state, this.store.life === "gone" && UNFINISHED.has(state) ? `was ${words}` : words);
    const parts = [["pls-target", target], ["pls-job", job || name], ["pls-command", command], ["pls-detached", detached ? "detached" : ""]];
    this.what.replaceChildren(...parts.filter(([, text]) => text).map(([kind, text]) => h("span", { class: kind }, text)));
    this.what.title = [target, job, name, command, title].filter(Boolean).join("\n");
  }

  elapsed() {
    const { state, started, elapsed, duration } = this.status;
    if (!UNFINISHED.has(state)) return duration;
    const now = this.store.life === "gone" ? this.store.heardAt : Date.now();
    if (elapsed != null) return elapsed + Math.max(0, now - this.store.statusCame) / SECOND; // by one clock
    return started == null ? null : Math.max(0, now / SECOND - started);
  }

  tick() {
    this.stay();
    if (this.asked && Date.now() > this.asked + 10 * SECOND) { // whoever clicks now wants to stop it, again
      this.asked = 0;
      this.describeStop(this.status);
    }
    const { state, bytes, lines, missing, behind, exit_code: code } = this.status;
    const elapsed = this.elapsed();
    const facts = [
      ["pls-time", elapsed == null ? "" : durationText(elapsed, !UNFINISHED.has(state))],
      ["pls-size", bytes ? bytesText(bytes) : ""],
      ["pls-lines", lines ? plural(lines, "line") : ""],
      ["pls-missing", missing ? `${bytesText(missing)} missing` : ""],
      ["pls-behind", behind ? `behind ${behind}` : ""],
      ["pls-code", code == null ? "" : `exit ${code}`],
    ].filter(([, text]) => text);
    const same = facts.length === this.facts.children.length;
    if (!same) this.facts.replaceChildren(...facts.map(() => h("span")));
    facts.forEach(([kind, text], at) => {
      this.facts.children[at].className = kind;
      setText(this.facts.children[at], text);
    });
  }

  describeStop({ state, stop }) {
    const running = UNFINISHED.has(state) && stop !== "no" && this.store.life !== "gone";
    this.setHidden(this.stop, !running);
    const far = stop === "kernel";
    const label = far ? "Stop with the notebook's ■, or press I twice" : this.asked ? "Kill" : "Stop";
    this.stop.setAttribute("aria-disabled", far);
    this.stop.setAttribute("aria-label", label);
    this.stop.title = label;
    setText(this.stop.lastChild, this.asked ? "Kill" : "Stop");
    this.stop.classList.toggle("pls-kill", Boolean(this.asked));
    this.describeBell(running);
  }

  /** Whoever is at a control that goes is not sent to the beginning of the page. */
  setHidden(control, on) {
    if (on && control.matches(":focus")) this.catchFocus();
    control.hidden = on;
  }

  stopOrKill() {
    if (this.status.stop === "kernel") {
      this.say("This kernel hears no button while a cell runs: stop it with the notebook's ■, or press I twice.");
    } else if (!this.asked) {
      if (!this.store.send({ type: "interrupt" })) return; // the area says that the kernel has gone
      this.asked = Date.now();
      this.say("Asked to stop. Click again to kill.");
      this.describeStop(this.status);
    } else if (Date.now() - this.asked > 600) { // a double click means Stop
      this.store.send({ type: "kill" });
      this.say("Asked to be killed.");
    }
  }

  announce(before) {
    const { state, exit_code: code } = this.status;
    const words = STATES[state] || state || "";
    if (before || UNFINISHED.has(state)) setText(this.spoken, code == null ? words : `${words}, exit ${code}`);
    if (before && UNFINISHED.has(before) && !UNFINISHED.has(state)) this.ended(words);
  }

  ended(words) {
    this.asked = 0;
    const { job, name, target, duration } = this.status;
    if (!document.hidden || (duration ?? 0) < LONG_RUN || !this.rings()) return;
    const title = `${job || name || target}: ${words}`;
    const notification = new Notification(title, { body: `after ${durationText(duration)}`, tag: name || this.store.id });
    notification.onclick = () => {
      window.focus();
      this.root.scrollIntoView({ block: "nearest" });
    };
  }

  // ---- actions

  rings() {
    return !this.quiet && window.Notification?.permission === "granted";
  }

  describeBell(running) {
    const none = !running || !window.Notification || !window.isSecureContext;
    this.setHidden(this.bell, none);
    this.bell.setAttribute("aria-pressed", this.rings());
  }

  async ring() {
    if (Notification.permission === "granted") this.quiet = !this.quiet;
    else await Notification.requestPermission();
    if (Notification.permission === "denied") this.say("The browser does not let this page notify you.");
    this.describeStop(this.status);
  }

  async copy() {
    const texts = this.rows.texts();
    await copied(texts.join("\n") + "\n");
    this.say(`Copied ${plural(texts.length, "line")}`);
  }

  save() {
    this.log.start();
    this.stay();
  }

  /** Whether the reader is in the middle of something that would be lost with this view. */
  busy() {
    if (this.log.log) return true;
    return !this.folded && (!this.rows.following || this.search.used || this.rows.selected());
  }

  /** Ask the kernel not to put its record in the place of this view yet. */
  stay() {
    if (!this.busy() || this.status.stop === "kernel" || this.store.life === "gone") return; // nobody would hear it in time
    const now = performance.now();
    if (now < this.store.stays) return;
    this.store.stays = now + LEASE;
    this.store.send({ type: "busy", view: this.store.id });
  }

  openSearch(on) {
    if (on && this.folded) this.setFolded(false);
    this.search.open(on);
    this.find.setAttribute("aria-pressed", on);
    if (!on) this.find.focus();
  }

  reveal(number) {
    const row = this.store.rows.get(number);
    if (row !== undefined && !this.rows.shown(row)) this.toggle(opened(row).s || "");
    if (!this.rows.reveal(number)) this.say(`Line ${count(number + 1)} is in the log only. Save the log to read around it.`);
  }

  /**
   * JupyterLab's shortcuts would act on the cell from in here. Let through are the key that interrupts (I, I),
   * and letters with Ctrl, most of which are the application's (Ctrl+S). Lumino matches from the node with the
   * focus upwards and begins with that node, so it is the one that has to be marked.
   */
  passShortcuts(event) {
    const path = event.composedPath();
    if (!path.includes(this.root)) return;
    const key = (event.key || "").toLowerCase();
    const chord = event.ctrlKey || event.metaKey || event.altKey;
    const passes = chord ? key.length === 1 && !EDITS.includes(key) : key === "i" && !path[0].matches("input");
    if (passes) path[0].removeAttribute(SUPPRESS);
    else path[0].setAttribute(SUPPRESS, "true");
  }

  ask(question) {
    this.question.update(question);
    if (question) setText(this.spoken, `Input is asked for: ${question.prompt || ""}`);
  }

  key(event) {
    if (event.target !== this.rows.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const does = {
      "/": () => this.openSearch(true),
      Home: () => this.rows.home(),
      End: () => this.rows.follow(),
    }[event.key];
    if (does) {
      event.preventDefault();
      does();
    } else if (event.key === "PageUp" || event.key === "ArrowUp") this.rows.hold();
  }

  describeChips(sources) {
    const several = sources.length > 1;
    this.chips.hidden = !several;
    this.root.classList.toggle("pls-several", several);
    const known = this.chips.children.length; // there are only ever more
    if (several) this.chips.append(...sources.slice(known).map((source) => this.chip(source)));
  }

  chip(source) {
    const chip = h("button", { type: "button", class: "pls-chip", "aria-pressed": true, onclick: () => this.toggle(source) }, source || "output");
    chip.style.setProperty("--pls-source", this.rows.colourOf(source));
    return chip;
  }

  /** Show the lines of a source, or show them no more. */
  toggle(source) {
    if (!this.hidden.delete(source)) this.hidden.add(source);
    this.chips.children[this.status.sources.indexOf(source)].setAttribute("aria-pressed", !this.hidden.has(source));
    this.rows.filter(this.hidden);
  }

  /** What has the focus goes: keep it here, where keys are no shortcuts of the notebook. */
  catchFocus() {
    (this.rows.element.hidden ? this.fold : this.rows.element).focus({ preventScroll: true });
  }

  // ---- notes

  say(text) {
    clearTimeout(this.noteTimer);
    setText(this.note, text);
    setText(this.spoken, text);
    this.note.hidden = false;
    this.noteTimer = setTimeout(() => (this.note.hidden = true), 6 * SECOND);
  }

  /** Of a kernel that may only be busy nothing is taken away. One that hears nothing while a cell runs is silent then. */
  alive() {
    const { life, heardAt } = this.store;
    const { state, stop, how_to_read: how } = this.status;
    const deaf = UNFINISHED.has(state) && stop === "kernel";
    let words = "";
    if (life === "gone") words = `The kernel of this area has gone. In a new one, %load_ext jupyter_ext and ${how || "%remote_stream ls"} show it again.`;
    else if (life === "silent" && !deaf) words = `The kernel does not answer, nothing was heard of it for ${durationText((Date.now() - heardAt) / SECOND, false)}: it is busy, or it has gone.`;
    setText(this.gone, words);
    this.gone.hidden = !words;
    this.root.classList.toggle("pls-dead", life === "gone");
    if (life !== this.life && words) setText(this.spoken, words);
    this.life = life;
    this.setStatus(this.status);
  }
}
