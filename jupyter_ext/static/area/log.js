/** The whole log as a file. */

import { h } from "./elements.js";
import { bytesText, SECOND } from "./figures.js";

/** Fetches the whole log part by part and hands it to the browser as a file. */
export class Log {
  constructor(store, say) {
    this.store = store;
    this.say = say;
    this.log = 0;
  }

  start() {
    this.log = ++this.store.questions;
    this.blob = new Blob([], { type: "text/plain" });
    this.ask(0);
    this.say("Fetching the log …");
  }

  ask(part) {
    this.part = part;
    this.store.send({ type: "log", view: this.store.id, log: this.log, part });
  }

  take({ log, part, done, name, text }, buffers) {
    if (log !== this.log || part !== this.part) return;
    this.blob = new Blob([this.blob, ...(buffers.length ? buffers : [text || ""])], { type: "text/plain" });
    if (done) this.save(name);
    else {
      this.say(`Fetching the log … ${bytesText(this.blob.size)}`);
      this.ask(part + 1);
    }
  }

  save(name) {
    const address = URL.createObjectURL(this.blob);
    h("a", { href: address, download: (name || "output.log").replace(/[/\\\u0000-\u001f]/g, "-") }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60 * SECOND);
    this.say(`Saved the log, ${bytesText(this.blob.size)}`);
    this.blob = null;
    this.log = 0;
  }
}
