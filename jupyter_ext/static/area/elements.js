/** Functions that make elements, and the icons of the buttons. */

const ICONS = {
  fold: "M4 6l4 4 4-4",
  stop: "M4.5 4.5h7v7h-7z",
  copy: "M6 6h7v7H6zM3.5 10.5V3.5h7",
  save: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.2h10",
  wrap: "M2.5 4h11M2.5 8h8.7a2.2 2.2 0 0 1 0 4.4H8.3M10.2 10.4l-2 2 2 2",
  search: "M11 7a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM10 10l3.5 3.5",
  bell: "M4.2 11V7.2a3.8 3.8 0 0 1 7.6 0V11l1.2 1.4H3zM6.9 14.2h2.2",
  close: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  end: "M8 2.5v8M4.8 7.4L8 10.6l3.2-3.2M4 13.4h8",
};

/**
 * Make an element. Attributes named `on...` are event listeners; those that are false or null are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** @param {keyof typeof ICONS} name */
function icon(name) {
  const make = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const svg = make("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: "pls-icon" });
  svg.append(make("path", { d: ICONS[name] }));
  return svg;
}

/**
 * Make a button with an icon. Without `text`, its label is only shown as a tooltip.
 *
 * @param {keyof typeof ICONS} name
 * @param {string} label
 * @param {(event: MouseEvent) => void} onclick
 */
export function button(name, label, onclick, text = "") {
  const kind = text ? "pls-button pls-named" : "pls-button";
  return h(
    "button",
    { type: "button", class: kind, "aria-label": label, title: label, onclick },
    icon(name),
    text,
  );
}

/**
 * Set the text of a node if it differs, to avoid a new layout and a second announcement by a screen reader.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
