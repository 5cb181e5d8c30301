/** The button that stops the execution, and kills it at the next click. */

/** @import { Status } from "./status.js" */
/** @import { Store } from "./store.js" */

import { button, setText } from "./elements.js";
import { SECOND } from "./figures.js";

const MEANS_KILL = 10 * SECOND; // time after a click on Stop in which a click means Kill
const DOUBLE_CLICK = 600; // ms; a faster second click is part of a double click, which means Stop

/** The button. */
export class Stop {
  /**
   * @param {Store} store
   * @param {(text: string) => void} showNote
   */
  constructor(store, showNote) {
    this.store = store;
    this.showNote = showNote;
    this.stoppedAt = 0; // when Stop was clicked
    /** @type {Status} */
    this.status = {};
    this.element = button("stop", "Stop", () => this.stopOrKill(), "Stop");
  }

  /** @param {Status} status */
  update(status) {
    this.status = status;
    const byKernel = status.stop === "kernel";
    const verb = this.stoppedAt ? "Kill" : "Stop";
    const label = byKernel ? "Stop with the notebook's ■, or press I twice" : verb;
    this.element.setAttribute("aria-disabled", String(byKernel));
    this.element.setAttribute("aria-label", label);
    this.element.title = label;
    if (this.element.lastChild) setText(this.element.lastChild, verb);
    this.element.classList.toggle("pls-kill", Boolean(this.stoppedAt));
  }

  /** Let the button mean Stop again after some seconds. */
  tick() {
    if (this.stoppedAt && Date.now() > this.stoppedAt + MEANS_KILL) this.reset();
  }

  reset() {
    this.stoppedAt = 0;
    this.update(this.status);
  }

  stopOrKill() {
    if (this.status.stop === "kernel") {
      const way = "Stop it with the notebook's ■, or press I twice.";
      this.showNote(`This button does not reach the kernel while a cell runs. ${way}`);
    } else if (!this.stoppedAt) {
      if (!this.store.send({ type: "interrupt" })) return; // the area shows that the kernel is gone
      this.stoppedAt = Date.now();
      this.showNote("Stop requested. Click again to kill.");
      this.update(this.status);
    } else if (Date.now() - this.stoppedAt > DOUBLE_CLICK) {
      this.store.send({ type: "kill" });
      this.showNote("Kill requested.");
    }
  }
}
