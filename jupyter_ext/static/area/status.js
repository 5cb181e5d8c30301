/**
 * The states of an execution, and its status: the trait of that name, as `state.py` makes it.
 *
 * @typedef {object} Status
 * @property {"queued" | "starting" | "running" | "ok" | "error" | "interrupted" | "timeout" | "killed"
 *   | "lost" | "unknown"} [state]
 * @property {string} [target]
 * @property {string} [job]
 * @property {string} [name] SESSION/ID, or the id of an execution without a session
 * @property {string} [command]
 * @property {string} [title] of the terminal
 * @property {string} [how_to_read] the magic that shows the execution again
 * @property {boolean} [detached]
 * @property {boolean} [input] the program waits for input
 * @property {number | null} [started] seconds since the epoch
 * @property {number | null} [elapsed] seconds, when the status was made
 * @property {number | null} [duration] seconds, after the end
 * @property {number} [bytes]
 * @property {number} [lines]
 * @property {number} [missing] bytes
 * @property {number | null} [exit_code]
 * @property {string} [error]
 * @property {string} [waits_for] the execution that this one waits for
 * @property {"yes" | "kernel" | "no"} [stop]
 * @property {string[]} [sources]
 */

/** The words for readers. `state.py` has the same words. */
export const STATES = {
  queued: "queued",
  starting: "starting",
  running: "running",
  ok: "done",
  error: "failed",
  interrupted: "interrupted",
  timeout: "timed out",
  killed: "killed",
  lost: "lost",
  unknown: "unknown",
};

/** @type {Set<string | undefined>} */
export const UNFINISHED = new Set(["queued", "starting", "running"]);
