/** The notification about the end of a long run, and the button that turns it on and off. */

/** @import { Status } from "./status.js" */
/** @import { Store } from "./store.js" */

import { button } from "./elements.js";
import { durationText } from "./figures.js";

const LONG_RUN = 60; // seconds; the end of a longer run in a hidden tab is worth a notification

/** The notification and its button. */
export class Bell {
  /**
   * @param {Store} store
   * @param {(text: string) => void} showNote
   */
  constructor(store, showNote) {
    this.store = store;
    this.showNote = showNote;
    this.quiet = false; // the reader wants no notification
    this.element = button("bell", "Notify me at the end", () => this.toggle());
    this.update();
  }

  /** True if the page may notify the reader. */
  get possible() {
    return Boolean(window.Notification) && window.isSecureContext;
  }

  /** True if the reader will be notified of the end of a long run. */
  get on() {
    return !this.quiet && window.Notification?.permission === "granted";
  }

  update() {
    this.element.setAttribute("aria-pressed", String(this.on));
  }

  async toggle() {
    if (Notification.permission === "granted") this.quiet = !this.quiet;
    else await Notification.requestPermission();
    const denied = Notification.permission === "denied";
    if (denied) this.showNote("The browser blocks notifications from this page.");
    this.update();
  }

  /**
   * Notify the reader of the end, if the page is hidden.
   *
   * @param {Status} status
   * @param {string} words for the state
   * @param {HTMLElement} root of the area
   */
  ring({ job, name, target, duration }, words, root) {
    if (!document.hidden || duration == null || duration < LONG_RUN || !this.on) return;
    const title = `${job || name || target}: ${words}`;
    const notification = new Notification(title, {
      body: `after ${durationText(duration)}`,
      tag: name || this.store.id,
    });
    notification.onclick = () => {
      window.focus();
      root.scrollIntoView({ block: "nearest" });
    };
  }
}
