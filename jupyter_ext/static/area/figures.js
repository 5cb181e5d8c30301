/** Numbers, sizes and times as people read them. */

export const SECOND = 1_000; // ms

const integers = new Intl.NumberFormat("en");
export const count = (number) => integers.format(number);

export function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
}

export function bytesText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  for (; bytes >= 999.5 && step < units.length - 1; step++) bytes /= 1000;
  return `${step && bytes < 99.95 ? bytes.toFixed(1) : Math.round(bytes)} ${units[step]}`;
}

export function clock(seconds) {
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}

export function durationText(seconds, exact) {
  if (seconds >= 60) return clock(seconds);
  return exact ? `${seconds.toFixed(seconds < 10 ? 2 : 1)} s` : `${Math.floor(seconds)} s`;
}

export function amount(number, unit) {
  if (unit === "B") return bytesText(number);
  return Math.abs(number) < 100 && number % 1 ? number.toFixed(1) : count(Math.round(number));
}
