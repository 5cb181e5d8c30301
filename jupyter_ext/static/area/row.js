/**
 * One row of the terminal as an element: text, styles, links.
 *
 * A segment is text in one style, which is given by words, with the address that it links to:
 *
 * @typedef {[text: string, style?: string, address?: string]} Segment
 *
 * A row is sent in its shortest form. The long form also names the source and the display of the row:
 *
 * @typedef {{ t: string | Segment[], s?: string, d?: string }} LongRow
 * @typedef {string | Segment[] | LongRow} Row
 */

import { h } from "./elements.js";
import { plural } from "./figures.js";
import { styleOf } from "./styles.js";

export const LONG_ROW = 4_000; // characters of a row that are shown at first
const MAX_SEGMENTS = 150; // segments of a row that are shown at first
const SEGMENT = 64; // overhead of a segment in memory, in characters

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\u0000-\u001f]*[^\s<>"'`.,;:!?)\]}\u0000-\u001f]/g;

/**
 * Make a link that leads out of the page. Return null for other addresses: `javascript:` would run code.
 *
 * @param {string} address
 */
export function link(address) {
  if (!/^(https?:\/\/|mailto:)/i.test(address)) return null; // `http:x` is a path of this server
  return h("a", { href: address, rel: "noopener noreferrer", target: "_blank" });
}

/**
 * Append text, with its web addresses as links.
 *
 * @param {Element} node
 * @param {string} text
 */
function appendText(node, text) {
  let at = 0;
  for (const found of text.includes("://") ? text.matchAll(ADDRESS) : []) {
    const anchor = link(found[0]);
    if (anchor) anchor.textContent = found[0];
    node.append(text.slice(at, found.index), anchor ?? found[0]);
    at = found.index + found[0].length;
  }
  node.append(at ? text.slice(at) : text);
}

/** @param {Segment} segment */
function segmentNode([text, words = "", address = ""]) {
  const anchor = address && link(address);
  const node = anchor || h("span");
  const style = styleOf(words);
  if (style.classes) node.className = style.classes;
  if (style.color) node.style.color = style.color;
  if (style.background) node.style.background = style.background;
  if (anchor) node.textContent = text;
  else appendText(node, text);
  return node;
}

/**
 * Return the long form of a row.
 *
 * @param {Row} row
 * @returns {LongRow}
 */
export function longForm(row) {
  return typeof row === "string" || Array.isArray(row) ? { t: row } : row;
}

/** @param {Row} row */
export function rowText(row) {
  const { t } = longForm(row);
  return typeof t === "string" ? t : t.map((segment) => segment[0]).join("");
}

/**
 * Return about how much memory a row takes, in characters.
 *
 * @param {Row} row
 */
export function sizeOf(row) {
  const { t } = longForm(row);
  return typeof t === "string" ? t.length : t.reduce((sum, [text]) => sum + text.length + SEGMENT, 0);
}

/**
 * True if no part of the row is visible.
 *
 * @param {Row} row
 */
export function blank(row) {
  const { t, d } = longForm(row);
  if (d) return false;
  return typeof t === "string" ? !t.trim() : t.every(([text, words]) => !text.trim() && !words);
}

/**
 * Return the segments that are shown at first and the number of characters that are left out.
 *
 * @param {Segment[]} segments
 * @returns {[shown: Segment[], hidden: number]}
 */
function shortened(segments) {
  /** @type {Segment[]} */
  const shown = [];
  let room = LONG_ROW;
  let hidden = 0;
  for (const [text, ...rest] of segments) {
    if (shown.length === MAX_SEGMENTS) room = 0;
    if (room > 0) shown.push([text.slice(0, room), ...rest]);
    hidden += Math.max(0, text.length - room);
    room = Math.max(0, room - text.length);
  }
  return [shown, hidden];
}

/**
 * Make the element of a row.
 *
 * @param {Row} row
 * @param {object} options
 * @param {boolean} options.whole show all of a long row
 * @param {(event: MouseEvent) => void} options.onmore called when the rest of a long row is requested
 * @param {(source: string) => string} options.colourOf returns the colour of a source
 * @param {(id: string) => Element} options.displayNode makes the element of a display
 */
export function rowNode(row, { whole, onmore, colourOf, displayNode }) {
  const { t, s, d } = longForm(row);
  const node = h("div", { class: "pls-row" });
  if (s) {
    node.dataset.source = s;
    node.style.setProperty("--pls-source", colourOf(s));
  }
  /** @type {Segment[]} */
  const segments = typeof t === "string" ? [[t]] : t;
  const [shown, hidden] = whole ? [segments, 0] : shortened(segments);
  if (typeof t === "string") appendText(node, shown[0][0]);
  else node.append(...shown.map(segmentNode));
  if (hidden) {
    const label = `… ${plural(hidden, "more character")}`;
    node.append(h("button", { type: "button", class: "pls-more", onclick: onmore }, label));
  }

  if (d) node.append(displayNode(d));
  return node;
}
