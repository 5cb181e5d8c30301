/** Detects whether the kernel of an area answers, and whether another kernel has taken its place. */

/** @import { Store } from "./store.js" */

import { SECOND } from "./figures.js";
import { UNFINISHED } from "./status.js";

const PING_AFTER = 15; // seconds of silence before the kernel is pinged; doubled after each ping
const SILENT = 25; // seconds of silence before the reader is notified

/**
 * Follows the life of the kernel. A restart closes the comm of the model. A killed kernel is noticed when
 * sending fails, or by its silence; but a kernel that is only busy may be silent too.
 */
export class Life {
  /**
   * @param {Store} store
   * @param {any} manager of the widgets
   * @param {(model: any) => void} onReplaced called with the new model when another kernel opens it again
   */
  constructor(store, manager, onReplaced) {
    this.store = store;
    this.manager = manager;
    this.onReplaced = onReplaced;
    /** @type {"live" | "silent" | "gone"} */
    this.state = "live"; // state of the kernel
    this.receivedAt = Date.now();
    this.cut = false; // the last message could not be sent
    this.asking = false; // a request has not been answered
    this.quiet = 0; // seconds of silence while the kernel should have sent something
    this.pingAfter = PING_AFTER;
    this.registered = null; // the manager's object for the model, which knows if the comm is live
    this.looking = false;
    this.closed = false;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.pulses = undefined;
  }

  get gone() {
    return this.state === "gone";
  }

  /** Watch the kernel while there is a view. */
  watch() {
    this.pulses ??= setInterval(() => this.pulse(), SECOND);
  }

  onSent() {
    this.asking = true;
  }

  onCut() {
    this.cut = true;
    this.update();
  }

  onReceived() {
    this.cut = false;
    this.asking = false;
    this.quiet = 0;
    this.pingAfter = PING_AFTER;
    this.receivedAt = Date.now();
    this.update();
  }

  update() {
    const gone = this.cut || this.registered?.comm_live === false;
    const state = gone ? "gone" : this.quiet >= SILENT ? "silent" : "live";
    if (state === this.state && state !== "silent") return; // the shown duration of silence changes
    this.state = state;
    this.store.notify("life");
  }

  /** Count seconds by calls, so that the time for which a page sleeps or is throttled is not counted. */
  pulse() {
    if (!this.store.areas.size) {
      this.stop(); // the next view restarts it
      return;
    }
    this.findModel();
    if (this.gone) return;
    const waits = this.asking || UNFINISHED.has(this.store.get("status")?.state);
    this.quiet = waits ? this.quiet + 1 : 0;
    if (this.quiet >= this.pingAfter) {
      this.pingAfter *= 2;
      this.store.send({ type: "ping", view: this.store.id });
    }
    this.update();
  }

  /** Check if another kernel has opened the model again under its id: there is no event for that. */
  async findModel() {
    const { id } = this.store.get("options") || {};
    if (!id || this.looking) return;
    this.looking = true;
    try {
      const found = await this.manager.get_model(id);
      const old = this.registered;
      this.registered = found;
      if (old && old !== found && !this.closed) this.onReplaced(found);
      else this.update();
    } catch (error) {
      console.debug("pyrepl-stream: the model was not found", error);
    }
    this.looking = false;
  }

  stop() {
    clearInterval(this.pulses);
    this.pulses = undefined;
  }

  close() {
    this.closed = true;
    this.stop();
  }
}
