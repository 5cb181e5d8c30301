/** The download of the whole log as a file. */

/** @import { Store } from "./store.js" */

import { h } from "./elements.js";
import { bytesText, SECOND } from "./figures.js";

/** Fetches the whole log part by part and hands it to the browser as a file. */
export class Log {
  /**
   * @param {Store} store
   * @param {(text: string) => void} showNote
   */
  constructor(store, showNote) {
    this.store = store;
    this.showNote = showNote;
    this.log = 0; // number of the download that is in progress
    this.part = 0;
    this.blob = new Blob();
  }

  start() {
    this.log = ++this.store.requests;
    this.blob = new Blob([], { type: "text/plain" });
    this.request(0);
    this.showNote("Fetching the log …");
  }

  /** @param {number} part */
  request(part) {
    this.part = part;
    this.store.send({ type: "log", view: this.store.id, log: this.log, part });
  }

  onPart({ log, part, done, name, text }, buffers) {
    if (log !== this.log || part !== this.part) return;
    this.blob = new Blob([this.blob, ...(buffers.length ? buffers : [text || ""])], { type: "text/plain" });
    if (done) this.save(name);
    else {
      this.showNote(`Fetching the log … ${bytesText(this.blob.size)}`);
      this.request(part + 1);
    }
  }

  /** @param {string} name of the file */
  save(name) {
    const address = URL.createObjectURL(this.blob);
    h("a", { href: address, download: (name || "output.log").replace(/[/\\\u0000-\u001f]/g, "-") }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60 * SECOND);
    this.showNote(`Saved the log, ${bytesText(this.blob.size)}`);
    this.blob = new Blob();
    this.log = 0;
  }
}
