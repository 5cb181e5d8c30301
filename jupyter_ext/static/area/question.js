/** The form for input that the program requests. */

/** @import { Store } from "./store.js" */

import { h } from "./elements.js";

const NO_ANSWER = 3_000; // ms after which a question that is still open can be answered again
const OCCUPIED = ":read-write, a, button, select, .pls-held"; // elements that keep the focus if they have it

/** The form for input that the program requests. */
export class Question {
  /**
   * @param {Store} store
   * @param {object} callbacks
   * @param {(text: string) => void} callbacks.showNote
   * @param {() => void} callbacks.onleave called before the form is hidden while it has the focus
   */
  constructor(store, { showNote, onleave }) {
    this.store = store;
    this.showNote = showNote;
    this.onleave = onleave;
    /** @type {Element | null} */
    this.handed = null; // the element that got the focus when the form was hidden
    /** @type {Element | null} */
    this.before = null; // the element that had the focus before the form took it
    /** @type {number | null} */
    this.request = null; // sequence number of the open request
    this.unseen = false; // the form has not been visible since the request came
    this.timer = 0;
    this.label = h("label");
    this.input = h("input", { autocomplete: "off", spellcheck: "false" });
    this.input.id = `pls-input-${Math.random().toString(36).slice(2)}`;
    this.label.htmlFor = this.input.id;
    // A `submit` listener is not enough: JupyterLab handles Enter itself.
    this.input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      const end = event.key === "d" && event.ctrlKey && !this.input.value;
      const enter = event.key === "Enter" && !event.shiftKey; // Shift+Enter is meant to run the next cell
      if (!enter && !end) return;
      event.preventDefault();
      this.answer(end ? null : this.input.value);
    });
    const send = h(
      "button",
      { type: "button", class: "pls-button pls-named", onclick: () => this.answer(this.input.value) },
      "Send",
    );
    const end = h(
      "button",
      {
        type: "button",
        class: "pls-button pls-named",
        title: "End of input (Ctrl-D)",
        onclick: () => this.answer(null),
      },
      "End",
    );
    this.buttons = [send, end];
    const line = h("div", { class: "pls-answer" }, this.input, send, end);
    this.element = h(
      "form",
      { class: "pls-question", hidden: true, onsubmit: (event) => event.preventDefault() },
      this.label,
      line,
    );
    // The request may come before the view is shown.
    this.appears = new ResizeObserver(() => this.takeFocus());
    this.appears.observe(this.element);
  }

  close() {
    clearTimeout(this.timer);
    this.appears.disconnect();
  }

  /** @param {{ request: number, prompt: string, password: boolean } | null} question */
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

  /** Take the focus once the form is visible, so that typed keys are the answer and not shortcuts. */
  takeFocus() {
    if (!this.unseen || !this.element.clientHeight) return;
    this.unseen = false;
    const { activeElement } = document;
    if (!this.mayTakeFocus(activeElement)) return;
    if (!activeElement?.closest(".pls")) this.before = activeElement;
    this.input.focus({ preventScroll: true });
  }

  /**
   * True if the reader is not busy elsewhere: in this form, or in command mode in the same notebook.
   *
   * @param {Element | null} active
   */
  mayTakeFocus(active) {
    if (this.element.contains(active) || active === this.handed) return true;
    if (!document.getSelection()?.isCollapsed) return false;
    if (!active || active === document.body) return true;
    if (!this.element.closest(".jp-Notebook")?.contains(active)) return false;
    const isNewCell = active.matches(".cm-content") && !active.textContent; // Shift+Enter adds one at the end
    return isNewCell || !active.matches(OCCUPIED);
  }

  /**
   * Make the input read-only. A disabled input would lose the focus, and the keys that are typed next.
   *
   * @param {boolean} on
   */
  setDisabled(on) {
    this.input.readOnly = on;
    this.input.setAttribute("aria-disabled", String(on));
    for (const control of this.buttons) control.disabled = on;
  }

  enable() {
    clearTimeout(this.timer);
    this.setDisabled(false);
  }

  /**
   * Send the answer. The form is disabled until the kernel confirms it or requests the next input.
   *
   * @param {string | null} text null is the end of input
   */
  answer(text) {
    if (this.input.readOnly) return;
    if (this.input.type === "password") this.input.value = "";
    if (!this.store.send({ type: "input", view: this.store.id, request: this.request, text })) {
      this.showNote("The answer was not sent, because the kernel is gone.");
      return;
    }
    if (this.element.contains(document.activeElement)) this.input.focus(); // a button may have the focus
    this.setDisabled(true);
    this.timer = setTimeout(() => this.enable(), NO_ANSWER);
  }

  onAnswered({ request, ok, text }) {
    if (request !== this.request || ok) return;
    this.enable();
    this.showNote(text || "The program did not receive the answer.");
  }
}
