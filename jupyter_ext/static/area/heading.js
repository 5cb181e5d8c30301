/** The heading of an area: the state, the name and the figures of the execution. */

/** @import { Status } from "./status.js" */
/** @import { Store } from "./store.js" */

import { h, setText } from "./elements.js";
import { bytesText, durationText, plural, SECOND } from "./figures.js";
import { STATES, UNFINISHED } from "./status.js";

/** The heading. */
export class Heading {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.state = h("span", { class: "pls-state" });
    this.what = h("span", { class: "pls-what" }); // target, name and command
    this.facts = h("span", { class: "pls-facts" }); // duration, size, ...
    this.elements = [this.state, this.what, this.facts];
  }

  /** @param {Status} status */
  update({
    state = "queued",
    target = "",
    job = "",
    name = "",
    command = "",
    title = "",
    detached = false,
    input = false,
  }) {
    const words = state === "running" && input ? "waiting for input" : STATES[state] || state;
    setText(this.state, this.store.life.gone && UNFINISHED.has(state) ? `was ${words}` : words);
    const parts = [
      ["pls-target", target],
      ["pls-job", job || name],
      ["pls-command", command],
      ["pls-detached", detached ? "detached" : ""],
    ];
    this.what.replaceChildren(
      ...parts.filter(([, text]) => text).map(([kind, text]) => h("span", { class: kind }, text)),
    );
    this.what.title = [target, job, name, command, title].filter(Boolean).join("\n");
  }

  /** @param {Status} status */
  tick(status) {
    const { state, bytes, lines, missing, waits_for: waitsFor, exit_code: code } = status;
    const elapsed = this.elapsed(status);
    const facts = [
      ["pls-time", elapsed == null ? "" : durationText(elapsed, !UNFINISHED.has(state))],
      ["pls-size", bytes ? bytesText(bytes) : ""],
      ["pls-lines", lines ? plural(lines, "line") : ""],
      ["pls-missing", missing ? `${bytesText(missing)} missing` : ""],
      ["pls-waits", waitsFor ? `waits for ${waitsFor}` : ""],
      ["pls-code", code == null ? "" : `exit ${code}`],
    ].filter(([, text]) => text);
    const same = facts.length === this.facts.children.length;
    if (!same) this.facts.replaceChildren(...facts.map(() => h("span")));
    facts.forEach(([kind, text], at) => {
      this.facts.children[at].className = kind;
      setText(this.facts.children[at], text);
    });
  }

  /** @param {Status} status */
  elapsed({ state, started, elapsed, duration }) {
    if (!UNFINISHED.has(state)) return duration;
    const now = this.store.life.gone ? this.store.life.receivedAt : Date.now();
    // The clock of the kernel may differ: add what has passed here since the status came.
    if (elapsed != null) return elapsed + Math.max(0, now - this.store.statusAt) / SECOND;
    return started == null ? null : Math.max(0, now / SECOND - started);
  }
}
