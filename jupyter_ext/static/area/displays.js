/** Rich displays: images, and HTML that is rebuilt element by element from an allow-list. */

import { h } from "./elements.js";
import { link } from "./row.js";

/** @param {...string} lines of names, separated by spaces */
const names = (...lines) => new Set(lines.flatMap((line) => line.split(" ")));

const ELEMENTS = names(
  "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure",
  "h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span strong sub summary sup",
  "table tbody td tfoot th thead tr u ul var",
);
// Elements that are left out with their content. The content of other elements that are not allowed stays.
const WITHHELD = names(
  "script style template iframe frame object embed noscript textarea title svg math audio video canvas",
  "select head",
);
const ATTRIBUTES = names("alt border colspan dir height lang open rowspan scope span start title width");
const PROPERTIES = new RegExp(
  "^(color|background-color|font-(family|size|style|weight)|text-(align|indent|transform)|" +
    "text-decoration.*|vertical-align|white-space.*|border.*|padding.*|(min-|max-)?(width|height))$",
);
const SIZES = names("border colspan height rowspan span width");
const MAX_SIZE = 4_000; // pixels or columns
// SVG in <img> neither runs scripts nor loads anything.
const IMAGE = /^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/i;

/**
 * True if no number in `size` is so large that the element would hide others or be slow to lay out.
 *
 * @param {string} size
 */
function modest(size) {
  return [...size.matchAll(/\d[\d.]*(e[+-]?\d+)?/gi)].every(([number]) => Number(number) <= MAX_SIZE);
}

/**
 * Copy an element with its allowed attributes and styles, without its children.
 *
 * @param {HTMLElement} from
 */
function cleanElement(from) {
  const to = document.createElement(from.localName);
  for (const { name, value } of from.attributes) {
    if (ATTRIBUTES.has(name) && (!SIZES.has(name) || modest(value))) to.setAttribute(name, value);
  }
  for (const name of from.style) {
    const value = from.style.getPropertyValue(name);
    const loads = /[(\\]/.test(value.replace(/\brgba?\(/g, "")); // a function such as url()
    if (PROPERTIES.test(name) && !loads && modest(value)) to.style.setProperty(name, value);
  }
  const source = from.getAttribute("src") ?? "";
  if (to instanceof HTMLImageElement && IMAGE.test(source)) to.src = source;
  const address = to.localName === "a" && link(from.getAttribute("href") || "");
  return address || to;
}

/**
 * Rebuild the allowed descendants of `from` below `to`.
 *
 * @param {Node} from
 * @param {Element} to
 */
function clean(from, to) {
  for (const node of from.childNodes) {
    if (node instanceof Text) to.append(node.data);
    else if (!(node instanceof HTMLElement) || WITHHELD.has(node.localName)) continue;
    else if (!ELEMENTS.has(node.localName)) clean(node, to);
    else {
      const copy = cleanElement(node);
      to.append(copy);
      clean(node, copy);
    }
  }
}

const ELEMENT_OF = {
  image({ src, width, height, alt }) {
    if (!IMAGE.test(src)) return h("span", { class: "pls-d" }, "[an image that cannot be shown]");
    return h("img", { src, width, height, alt: alt || "figure" });
  },
  html({ html }) {
    const node = h("div", { class: "pls-html" });
    clean(new DOMParser().parseFromString(html, "text/html").body, node);
    return node;
  },
  text: ({ text }) => h("pre", {}, text),
  note: ({ text }) => h("span", { class: "pls-d" }, text),
};

/**
 * Make the element of a display.
 *
 * @param {{ kind: string, [name: string]: any }} bundle as `displays.py` sends it
 * @returns {HTMLElement}
 */
export function displayElement(bundle) {
  return (Object.hasOwn(ELEMENT_OF, bundle.kind) ? ELEMENT_OF[bundle.kind] : ELEMENT_OF.note)(bundle);
}
