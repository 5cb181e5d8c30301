/** Rich displays: images, and HTML that is rebuilt from an allow-list, element by element. */

import { h } from "./elements.js";
import { link } from "./row.js";

const ELEMENTS = new Set(
  ("a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 " +
    "hr i img ins kbd li ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var").split(" "),
);
const WITHHELD = new Set( // with all that is in them; of others that are not allowed, the content stays
  "script style template iframe frame object embed noscript textarea title svg math audio video canvas select head".split(" "),
);
const ATTRIBUTES = new Set("alt border colspan dir height lang open rowspan scope span start title width".split(" "));
const PROPERTIES =
  /^(color|background-color|font-(family|size|style|weight)|text-(align|indent|transform)|text-decoration.*|vertical-align|white-space.*|border.*|padding.*|(min-|max-)?(width|height))$/;
const SIZES = new Set("border colspan height rowspan span width".split(" "));
const MOST = 4_000; // pixels, columns, or whatever a size counts
const IMAGE = /^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/i; // in <img>, SVG runs no script and loads nothing

/** Larger ones hide what else is there, or take long to be laid out. */
function modest(size) {
  return [...size.matchAll(/\d[\d.]*(e[+-]?\d+)?/gi)].every(([number]) => Number(number) <= MOST);
}

function cleanElement(from) {
  const to = document.createElement(from.localName);
  for (const { name, value } of from.attributes) if (ATTRIBUTES.has(name) && (!SIZES.has(name) || modest(value))) to.setAttribute(name, value);
  for (const name of from.style) {
    const value = from.style.getPropertyValue(name);
    if (PROPERTIES.test(name) && !/[(\\]/.test(value.replace(/\brgba?\(/g, "")) && modest(value)) to.style.setProperty(name, value);
  }
  if (to.localName === "img" && IMAGE.test(from.getAttribute("src"))) to.src = from.getAttribute("src");
  const address = to.localName === "a" && link(from.getAttribute("href") || "");
  return address || to;
}

/** Rebuild what is allowed of ``from`` below ``to``. */
function clean(from, to) {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) to.append(node.data);
    else if (node.nodeType !== Node.ELEMENT_NODE || WITHHELD.has(node.localName)) continue;
    else if (!ELEMENTS.has(node.localName)) clean(node, to);
    else {
      const copy = cleanElement(node);
      to.append(copy);
      clean(node, copy);
    }
  }
}

const DRAWN = {
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

export function drawn(bundle) {
  return (Object.hasOwn(DRAWN, bundle.kind) ? DRAWN[bundle.kind] : DRAWN.note)(bundle);
}
