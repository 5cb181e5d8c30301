/** Styles of the terminal for light and dark pages. */

const PAGES = [1, 0.015]; // relative luminance of a light page and of a dark one (WCAG 2)

function luminance(colour) {
  const [red, green, blue] = colour.map((part) => {
    const value = part / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * Mix a colour with black or white until its contrast to the page is 4.5.
 *
 * @param {number[]} colour red, green and blue, 0 to 255
 * @param {number} page relative luminance, 0 to 1
 */
function legible(colour, page) {
  const goal = page > 0.5 ? 0 : 255;
  let mixed = colour;
  for (let step = 1; step <= 10; step++) {
    const [low, high] = [luminance(mixed), page].sort((a, b) => a - b);
    if ((high + 0.05) / (low + 0.05) >= 4.5) break;
    mixed = colour.map((part) => Math.round(part + ((goal - part) * step) / 10));
  }
  return `rgb(${mixed.join(" ")})`;
}

/** @param {string} hex such as `#1f1f1f` */
function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/**
 * Return the CSS colour of text, legible on the page unless the text has a background of its own.
 *
 * @param {string} colour a number of the palette, or `#rrggbb`
 * @param {string} background the same, or empty
 */
function inkOf(colour, background) {
  if (!colour.startsWith("#")) {
    const own = `var(--pls-f${colour})`;
    return background ? `color-mix(in srgb, ${own} 60%, var(--pls-text))` : own;
  }
  if (background) return colour; // the program chose both
  return `light-dark(${PAGES.map((page) => legible(rgb(colour), page)).join(", ")})`;
}

function paperOf(colour) {
  return colour.startsWith("#") ? colour : `var(--pls-g${colour})`;
}

const COLOUR = /^([fg])(1[0-5]|[0-9]|#[0-9a-f]{6})$/i;
/** @type {Map<string, { classes: string, color: string, background: string }>} */
const styles = new Map(); // by the words of the style

/**
 * Return the class names and colours for the words of a style, such as `b f1`.
 *
 * @param {string} words
 */
export function styleOf(words) {
  const known = styles.get(words);
  if (known) return known;
  const classes = [];
  const colours = { f: "", g: "" };
  for (const word of words.split(" ")) {
    const found = COLOUR.exec(word);
    if (found) colours[found[1]] = found[2];
    else if (/^[bdiusveh]$/.test(word)) classes.push(`pls-${word}`);
  }
  if (!colours.f && colours.g.startsWith("#")) {
    colours.f = luminance(rgb(colours.g)) > 0.18 ? "#000000" : "#ffffff";
  }
  let [color, background] = [colours.f && inkOf(colours.f, colours.g), colours.g && paperOf(colours.g)];
  if (classes.includes("pls-v")) {
    [color, background] = [background || "var(--pls-page)", color || "var(--pls-text)"];
  }
  const style = { classes: classes.join(" "), color, background };
  if (styles.size >= 4096) styles.clear(); // a program may use any number of styles

  styles.set(words, style);
  return style;
}
