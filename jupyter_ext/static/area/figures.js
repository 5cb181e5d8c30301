/** Numbers, sizes and durations as text for readers. */

export const SECOND = 1_000; // ms

const integers = new Intl.NumberFormat("en");
/** @param {number} number */
export const count = (number) => integers.format(number);

/**
 * @param {number} number
 * @param {string} word in the singular
 */
export function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
}

/** @param {number} bytes */
export function bytesText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let step = 0;
  for (; bytes >= 999.5 && step < units.length - 1; step++) bytes /= 1000;
  return `${step && bytes < 99.95 ? bytes.toFixed(1) : Math.round(bytes)} ${units[step]}`;
}

/** @param {number} seconds */
export function clock(seconds) {
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/**
 * @param {number} seconds
 * @param {boolean} [exact] also show fractions of a second
 */
export function durationText(seconds, exact) {
  if (seconds >= 60) return clock(seconds);
  return exact ? `${seconds.toFixed(seconds < 10 ? 2 : 1)} s` : `${Math.floor(seconds)} s`;
}

/**
 * @param {number} number
 * @param {string} [unit]
 */
export function amount(number, unit) {
  if (unit === "B") return bytesText(number);
  return Math.abs(number) < 100 && number % 1 ? number.toFixed(1) : count(Math.round(number));
}
