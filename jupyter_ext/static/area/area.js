/** One view of an execution: header, rows, bars, question, search, notes. */

/** @import { Status } from "./status.js" */
/** @import { Store } from "./store.js" */

import { Bars } from "./bars.js";
import { Bell } from "./bell.js";
import { copyText } from "./clipboard.js";
import { button, h, setText } from "./elements.js";
import { count, durationText, plural, SECOND } from "./figures.js";
import { Heading } from "./heading.js";
import { Log } from "./log.js";
import { Notes } from "./notes.js";
import { Question } from "./question.js";
import { longForm, rowText } from "./row.js";
import { Rows } from "./rows.js";
import { Search } from "./search.js";
import { suppressShortcuts } from "./shortcuts.js";
import { Sources } from "./sources.js";
import { STATES, UNFINISHED } from "./status.js";
import { Stop } from "./stop.js";

const BUSY = 3 * SECOND; // between two `busy` messages; the kernel remembers one for longer

/** One view. */
export class Area {
  /** @type {HTMLElement} */ head;
  /** @type {HTMLElement} */ body;
  /** @type {HTMLButtonElement} */ fold;
  /** @type {HTMLButtonElement} */ find;
  /** @type {HTMLButtonElement} */ wrap;

  /**
   * @param {Store} store
   * @param {HTMLElement} element that gets the view
   */
  constructor(store, element) {
    this.store = store;
    this.folded = false;
    this.wrapped = false;
    /** @type {string} */
    this.life = ""; // the state of the kernel that was shown last
    /** @type {Status} */
    this.status = {};
    this.leftAt = 0; // when the focus left for no other element, as it does when the area is removed
    const showNote = (text) => this.notes.show(text);
    this.notes = new Notes();
    this.heading = new Heading(store);
    this.stop = new Stop(store, showNote);
    this.bell = new Bell(store, showNote);
    this.rows = new Rows(store, () => this.onFollow());
    this.sources = new Sources(this.rows);
    this.bars = new Bars();
    this.question = new Question(store, { showNote, onleave: () => this.catchFocus() });
    this.search = new Search(store, {
      onselect: (number) => this.reveal(number),
      onclose: () => this.openSearch(false),
    });
    this.log = new Log(store, showNote);
    this.toEnd = button("end", "To the end", () => this.rows.follow(), "End");
    this.failure = h("div", { class: "pls-failure", hidden: true });
    this.gone = h("div", { class: "pls-gone", hidden: true }); // shown while the kernel does not answer
    this.makeBody();
    this.makeHead();
    this.root = h(
      "section",
      {
        class: "pls",
        "aria-label": "Output",
        onkeydown: (event) => this.onKey(event),
        oninput: () => this.reportBusy(),
        onfocusout: (event) => (this.leftAt = event.relatedTarget ? 0 : performance.now()),
      },
      this.head,
      this.body,
      this.notes.spoken,
    );
    element.append(this.root);
    store.show(this);
    for (const name of ["options", "status", "bars", "question", "rows", "life"]) this.onChange(name);
    this.ticks = setInterval(() => this.tick(), SECOND);
    this.allowShortcuts = suppressShortcuts(this.root);
    this.onSelect = () => this.reportBusy();
    document.addEventListener("selectionchange", this.onSelect);
  }

  makeBody() {
    this.toEnd.classList.add("pls-to-end");
    this.toEnd.hidden = true;
    const scroll = h("div", { class: "pls-scroll" }, this.rows.element, this.toEnd);
    this.body = h(
      "div",
      { class: "pls-body" },
      this.search.element,
      this.sources.element,
      scroll,
      this.bars.element,
      this.question.element,
      this.failure,
      this.gone,
      this.notes.element,
    );
  }

  makeHead() {
    this.fold = button("fold", "Hide the output", () => this.setFolded(!this.folded));
    this.describeFold();
    this.wrap = button("wrap", "Wrap long lines", () => this.setWrap(!this.wrapped));
    this.find = button("search", "Search the whole log", () =>
      this.openSearch(Boolean(this.search.element.hidden)),
    );
    const tools = h(
      "div",
      { class: "pls-tools", role: "group", "aria-label": "Actions" },
      this.stop.element,
      this.bell.element,
      this.find,
      this.wrap,
      button("copy", "Copy the lines", () => this.copy()),
      button("save", "Save the whole log", () => this.save()),
    );
    this.head = h("div", { class: "pls-head" }, this.fold, ...this.heading.elements, tools);
  }

  close() {
    // If the focus was here until now because of a question, return it to where it was before.
    const { before } = this.question;
    const focusIsLost = performance.now() < this.leftAt + SECOND && document.activeElement === document.body;
    if (focusIsLost && before instanceof HTMLElement) before.focus({ preventScroll: true });
    clearInterval(this.ticks);
    this.allowShortcuts();
    document.removeEventListener("selectionchange", this.onSelect);
    this.notes.close();
    this.question.close();
    this.rows.close();
    this.store.areas.delete(this);
    this.store.sweep();
    this.root.remove();
  }

  /** Update the view. `name` is the name of a trait or the type of a message from the kernel. */
  onChange(name, content, buffers) {
    if (name === "rows") this.onRows();
    else if (name === "status") this.setStatus(this.store.get("status") || {});
    else if (name === "bars") this.bars.update(this.store.get("bars") || []);
    else if (name === "question") this.onQuestion(this.store.get("question"));
    else if (name === "options") this.setOptions(this.store.get("options") || {});
    else if (name === "display") this.rows.blocks.redisplay(content);
    else if (name === "found") this.search.onResults(content);
    else if (name === "log") this.log.onPart(content, buffers);
    else if (name === "answered") this.question.onAnswered(content);
    else if (name === "note") this.notes.show(content.text);
    else if (name === "life") this.onLife();
  }

  onRows() {
    this.rows.element.hidden = this.store.shownEnd <= this.store.first;
    this.rows.schedule();
    this.describeFailure();
  }

  onFollow() {
    this.toEnd.hidden = this.rows.following;
    this.reportBusy();
  }

  setOptions({ height = 24, wrap = false }) {
    this.root.style.setProperty("--pls-height", String(Math.max(1, height)));
    this.setWrap(wrap);
  }

  /** @param {boolean} on */
  setWrap(on) {
    this.wrapped = on;
    this.wrap.setAttribute("aria-pressed", String(on));
    this.rows.wrap(on);
  }

  /** @param {boolean} on */
  setFolded(on) {
    this.folded = on;
    this.body.hidden = on;
    this.root.classList.toggle("pls-closed", on);
    this.describeFold();
  }

  describeFold() {
    this.fold.setAttribute("aria-expanded", String(!this.folded));
    const label = this.folded ? "Show the output" : "Hide the output";
    this.fold.setAttribute("aria-label", label);
    this.fold.title = label;
  }

  // ---- status

  /** @param {Status} status */
  setStatus(status) {
    const before = this.status || {};
    this.status = status;
    this.describe(status);
    this.describeControls();
    this.tick();
    this.describeFailure();
    if (status.state !== before.state) this.announce(before.state);
  }

  /** @param {Status} status */
  describe(status) {
    const { state = "queued", target, job, name, sources = [] } = status;
    this.root.dataset.state = state;
    this.root.setAttribute("aria-label", `Output of ${job || name || target || "a run"}`);
    this.rows.element.setAttribute("aria-label", `Lines of ${job || name || target || "a run"}`);
    this.heading.update(status);
    this.sources.update(sources);
    this.root.classList.toggle("pls-several", this.sources.several);
  }

  /** Show the controls that have an effect now. */
  describeControls() {
    const { state, stop } = this.status;
    const running = UNFINISHED.has(state) && stop !== "no" && !this.store.life.gone;
    this.stop.update(this.status);
    this.bell.update();
    this.setHidden(this.stop.element, !running);
    this.setHidden(this.bell.element, !running || !this.bell.possible);
  }

  /** Show the error, unless the last rows contain it. */
  describeFailure() {
    const { error = "" } = this.status;
    let last = "";
    const end = this.store.shownEnd;
    for (let number = end - 3; number < end; number++) last += rowText(this.store.rows.get(number) || "");
    setText(this.failure, error);
    this.failure.hidden = !error || last.includes(error);
  }

  tick() {
    this.reportBusy();
    this.stop.tick();
    this.heading.tick(this.status);
  }

  /** @param {Status["state"]} before */
  announce(before) {
    const { state, exit_code: code } = this.status;
    const words = STATES[state] || state || "";
    const text = code == null ? words : `${words}, exit ${code}`;
    if (before || UNFINISHED.has(state)) this.notes.say(text);
    if (before && UNFINISHED.has(before) && !UNFINISHED.has(state)) {
      this.stop.reset();
      this.bell.ring(this.status, words, this.root);
    }
  }

  /** Show that the kernel is gone or silent. The controls stay while the kernel may only be busy. */
  onLife() {
    const { life } = this.store;
    const { state, stop, how_to_read: how = "" } = this.status;
    const receives = !UNFINISHED.has(state) || stop !== "kernel"; // some kernels do not receive during a cell
    let words = "";
    if (life.gone) {
      const magic = how || "%remote_stream ls";
      words = `The kernel of this area is gone. To show it again, run %load_ext jupyter_ext and ${magic}.`;
    } else if (life.state === "silent" && receives) {
      const silence = durationText((Date.now() - life.receivedAt) / SECOND);
      words = `The kernel has not responded for ${silence}. It is busy or gone.`;
    }
    setText(this.gone, words);
    this.gone.hidden = !words;
    this.root.classList.toggle("pls-dead", life.gone);
    if (life.state !== this.life && words) this.notes.say(words);
    this.life = life.state;
    this.setStatus(this.status);
  }

  // ---- actions

  async copy() {
    const texts = this.rows.texts();
    await copyText(texts.join("\n") + "\n");
    this.notes.show(`Copied ${plural(texts.length, "line")}`);
  }

  save() {
    this.log.start();
    this.reportBusy();
  }

  /** True while the reader does something that would be lost with this view. */
  busy() {
    if (this.log.log) return true;
    return !this.folded && (!this.rows.following || this.search.active || this.rows.selected());
  }

  /** Ask the kernel to keep this view instead of replacing it by the record, if the reader is busy. */
  reportBusy() {
    const reachable = this.status.stop !== "kernel" && !this.store.life.gone;
    const now = performance.now();
    if (!this.busy() || !reachable || now < this.store.busyUntil) return;
    this.store.busyUntil = now + BUSY;
    this.store.send({ type: "busy", view: this.store.id });
  }

  /** @param {boolean} on */
  openSearch(on) {
    if (on && this.folded) this.setFolded(false);
    this.search.setOpen(on);
    this.find.setAttribute("aria-pressed", String(on));
    if (!on) this.find.focus();
  }

  /** @param {number} number of the row */
  reveal(number) {
    const row = this.store.rows.get(number);
    if (row !== undefined && !this.rows.shown(row)) this.sources.toggle(longForm(row).s || "");
    if (this.rows.reveal(number)) return;
    this.notes.show(`Line ${count(number + 1)} is in the log only. Save the log to read around it.`);
  }

  onQuestion(question) {
    this.question.update(question);
    if (question) this.notes.say(`Input requested: ${question.prompt || ""}`);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.target !== this.rows.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = {
      "/": () => this.openSearch(true),
      Home: () => this.rows.home(),
      End: () => this.rows.follow(),
    }[event.key];
    if (action) {
      event.preventDefault();
      action();
    } else if (event.key === "PageUp" || event.key === "ArrowUp") this.rows.hold();
  }

  /** Move the focus from an element that is removed to another one here, where keys are not shortcuts. */
  catchFocus() {
    (this.rows.element.hidden ? this.fold : this.rows.element).focus({ preventScroll: true });
  }

  /**
   * Hide or show a control. If it has the focus, keep the focus in this area.
   *
   * @param {HTMLElement} control
   * @param {boolean} on
   */
  setHidden(control, on) {
    if (on && control.matches(":focus")) this.catchFocus();
    control.hidden = on;
  }
}
