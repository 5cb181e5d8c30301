/** The box in which what the far side asks is answered. */

import { h } from "./elements.js";

const NO_ANSWER = 3_000; // ms after which a question that is still open can be answered again
const OCCUPIED = ":read-write, a, button, select, .pls-held"; // whoever is there is about to do something else

/** The box in which what the far side asks is answered. */
export class Question {
  constructor(store, { say, onleave }) {
    this.store = store;
    this.say = say;
    this.onleave = onleave; // the box goes, and has the focus
    this.handed = null; // what has got it since
    this.before = null; // what had the focus when the box took it
    this.label = h("label");
    this.input = h("input", { autocomplete: "off", spellcheck: "false" });
    this.input.id = `pls-input-${Math.random().toString(36).slice(2)}`;
    this.label.htmlFor = this.input.id;
    // Not by `submit`: JupyterLab keeps Enter from it.
    this.input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      const end = event.key === "d" && event.ctrlKey && !this.input.value;
      const enter = event.key === "Enter" && !event.shiftKey; // Shift+Enter was meant to run the next cell
      if (!enter && !end) return;
      event.preventDefault();
      this.answer(end ? null : this.input.value);
    });
    const send = h("button", { type: "button", class: "pls-button pls-named", onclick: () => this.answer(this.input.value) }, "Send");
    const end = h("button", { type: "button", class: "pls-button pls-named", title: "End of input (Ctrl-D)", onclick: () => this.answer(null) }, "End");
    this.buttons = [send, end];
    const line = h("div", { class: "pls-answer" }, this.input, send, end);
    this.element = h("form", { class: "pls-question", hidden: true, onsubmit: (event) => event.preventDefault() }, this.label, line);
    this.appears = new ResizeObserver(() => this.takeFocus()); // the view may come into the page after the question
    this.appears.observe(this.element);
  }

  close() {
    clearTimeout(this.timer);
    this.appears.disconnect();
  }

  update(question) {
    const request = question?.request ?? null;
    if (request === null && this.element.contains(document.activeElement)) {
      this.onleave();
      this.handed = document.activeElement;
    }
    this.element.hidden = request === null;
    if (request === this.request) return;
    this.request = request;
    this.input.value = "";
    this.enable();
    if (!question) return;
    this.label.textContent = (question.prompt || "").trim() || "Input";
    this.input.type = question.password ? "password" : "text";
    this.unseen = true;
    this.takeFocus();
  }

  /** What is typed is the answer, once the question is seen, and not shortcuts of the notebook. */
  takeFocus() {
    if (!this.unseen || !this.element.clientHeight) return;
    this.unseen = false;
    const { activeElement } = document;
    if (!this.mayTake(activeElement)) return;
    if (!activeElement?.closest(".pls")) this.before = activeElement;
    this.input.focus({ preventScroll: true });
  }

  /** Whether the reader is nowhere else: here, or in command mode in the notebook that this is in. */
  mayTake(active) {
    if (this.element.contains(active) || active === this.handed) return true;
    if (!document.getSelection().isCollapsed) return false;
    if (!active || active === document.body) return true;
    if (!this.element.closest(".jp-Notebook")?.contains(active)) return false;
    const opened = active.matches(".cm-content") && !active.textContent; // the cell that Shift+Enter adds at the end
    return opened || !active.matches(OCCUPIED);
  }

  /** The box stays what has the focus: a disabled one would lose it, and what is typed next. */
  disable(on) {
    this.input.readOnly = on;
    this.input.setAttribute("aria-disabled", on);
    for (const control of this.buttons) control.disabled = on;
  }

  enable() {
    clearTimeout(this.timer);
    this.disable(false);
  }

  /** The box is off until the kernel says that it is answered, or asks the next one. */
  answer(text) {
    if (this.input.readOnly) return;
    if (this.input.type === "password") this.input.value = "";
    if (!this.store.send({ type: "input", view: this.store.id, request: this.request, text })) {
      this.say("No kernel hears this answer.");
      return;
    }
    if (this.element.contains(document.activeElement)) this.input.focus(); // it may be on a button
    this.disable(true);
    this.timer = setTimeout(() => this.enable(), NO_ANSWER);
  }

  answered({ request, ok, text }) {
    if (request !== this.request || ok) return;
    this.enable();
    this.say(text || "The answer did not arrive.");
  }
}
