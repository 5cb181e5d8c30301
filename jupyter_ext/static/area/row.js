/** One row of the terminal as an element: text, styles, links. */

import { h } from "./elements.js";
import { plural } from "./figures.js";
import { styleOf } from "./styles.js";

export const LONG_ROW = 4_000; // characters of a row that are shown unasked
const MOTLEY_ROW = 150; // changes of style in such a row
const SEGMENT = 64; // characters that have about the size of what is around the text of a segment

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\u0000-\u001f]*[^\s<>"'`.,;:!?)\]}\u0000-\u001f]/g;

/** A link that leads out of the page, or nothing where it would run something. */
export function link(address) {
  if (!/^(https?:\/\/|mailto:)/i.test(address)) return null; // `http:x` is a path of this server
  return h("a", { href: address, rel: "noopener noreferrer", target: "_blank" });
}

function appendText(node, text) {
  let at = 0;
  for (const found of text.includes("://") ? text.matchAll(ADDRESS) : []) {
    const anchor = link(found[0]);
    anchor.textContent = found[0];
    node.append(text.slice(at, found.index), anchor);
    at = found.index + found[0].length;
  }
  node.append(at ? text.slice(at) : text);
}

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

/** A row in its longest form: {t: text or segments, s: source, d: display}. */
export function opened(row) {
  return typeof row === "string" || Array.isArray(row) ? { t: row } : row;
}

export function rowText(row) {
  const { t } = opened(row);
  return typeof t === "string" ? t : t.map((segment) => segment[0]).join("");
}

/** About how much memory a row takes, in characters. */
export function sizeOf(row) {
  const { t } = opened(row);
  return typeof t === "string" ? t.length : t.reduce((sum, [text]) => sum + text.length + SEGMENT, 0);
}

/** Whether nothing of the row can be seen. */
export function blank(row) {
  const { t, d } = opened(row);
  if (d) return false;
  return typeof t === "string" ? !t.trim() : t.every(([text, words]) => !text.trim() && !words);
}

/** What is shown of a row at first, and how many characters are not. */
function shortened(segments) {
  const shown = [];
  let room = LONG_ROW;
  let hidden = 0;
  for (const [text, ...rest] of segments) {
    if (shown.length === MOTLEY_ROW) room = 0;
    if (room > 0) shown.push([text.slice(0, room), ...rest]);
    hidden += Math.max(0, text.length - room);
    room = Math.max(0, room - text.length);
  }
  return [shown, hidden];
}

/** The element of a row; `whole`: all of a long one; `onmore` is called to see it all. */
export function rowNode(row, { whole, onmore, colourOf, displayNode }) {
  const { t, s, d } = opened(row);
  const node = h("div", { class: "pls-row" });
  if (s) {
    node.dataset.source = s;
    node.style.setProperty("--pls-source", colourOf(s));
  }
  const segments = typeof t === "string" ? [[t]] : t;
  const [shown, hidden] = whole ? [segments, 0] : shortened(segments);
  if (typeof t === "string") appendText(node, shown[0][0]);
  else node.append(...shown.map(segmentNode));
  if (hidden) node.append(h("button", { type: "button", class: "pls-more", onclick: onmore }, `… ${plural(hidden, "more character")}`));
  if (d) node.append(displayNode(d));
  return node;
}
