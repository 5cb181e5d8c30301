/** What a style of the terminal is on a light page and on a dark one. */

const PAGES = [1, 0.015]; // relative luminance of a light page and of a dark one (WCAG 2)

function luminance(colour) {
  const [red, green, blue] = colour.map((part) => {
    const value = part / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The colour, moved towards black or white until it has a contrast of 4.5 to the page. */
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

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/** A colour as the text of a page or, in inverse, as its background: legible with the other one. */
function inkOf(colour, background) {
  if (!colour.startsWith("#")) return background ? `color-mix(in srgb, var(--pls-f${colour}) 60%, var(--pls-text))` : `var(--pls-f${colour})`;
  if (background) return colour; // whoever chose both knows how they look
  return `light-dark(${PAGES.map((page) => legible(rgb(colour), page)).join(", ")})`;
}

function paperOf(colour) {
  return colour.startsWith("#") ? colour : `var(--pls-g${colour})`;
}

const COLOUR = /^([fg])(1[0-5]|[0-9]|#[0-9a-f]{6})$/i;
const styles = new Map(); // the words of a style -> what its elements get

/** Class names and colours for the words of a style, such as `b f1`. */
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
  if (!colours.f && colours.g.startsWith("#")) colours.f = luminance(rgb(colours.g)) > 0.18 ? "#000000" : "#ffffff";
  let [color, background] = [colours.f && inkOf(colours.f, colours.g), colours.g && paperOf(colours.g)];
  if (classes.includes("pls-v")) [color, background] = [background || "var(--pls-page)", color || "var(--pls-text)"];
  const style = { classes: classes.join(" "), color, background };
  if (styles.size >= 4096) styles.clear(); // a far side may use any number of them
  styles.set(words, style);
  return style;
}
