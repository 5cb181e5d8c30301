/** Notes for the reader: shown below the rows for a few seconds, and read by screen readers. */

import { h, setText } from "./elements.js";
import { SECOND } from "./figures.js";

/** Notes for the reader. */
export class Notes {
  constructor() {
    this.timer = 0;
    this.element = h("div", { class: "pls-note", hidden: true });
    this.spoken = h("div", { class: "pls-unseen", role: "status", "aria-live": "polite" });
  }

  /**
   * Show a text below the rows for a few seconds.
   *
   * @param {string} text
   */
  show(text) {
    clearTimeout(this.timer);
    setText(this.element, text);
    this.say(text);
    this.element.hidden = false;
    this.timer = setTimeout(() => (this.element.hidden = true), 6 * SECOND);
  }

  /**
   * Have screen readers announce a text.
   *
   * @param {string} text
   */
  say(text) {
    setText(this.spoken, text);
  }

  close() {
    clearTimeout(this.timer);
  }
}
