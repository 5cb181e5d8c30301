/** The application's keyboard shortcuts, which must not act on the cell while the focus is in an area. */

const SUPPRESS = "data-lm-suppress-shortcuts"; // Lumino handles no key at or below a node with this attribute
const EDITS = "admz"; // keys that edit text or cells with Ctrl

/**
 * Keep JupyterLab's shortcuts from acting on the cell while the focus is in the area. The key that
 * interrupts (I, I) passes, and so do letters with Ctrl, most of which belong to the application (Ctrl+S).
 * Lumino looks for the attribute from the focused node upwards, so that node has to be marked.
 *
 * @param {HTMLElement} root of the area
 * @returns {() => void} a function that undoes this
 */
export function suppressShortcuts(root) {
  /** @param {KeyboardEvent} event */
  const mark = (event) => {
    const path = event.composedPath();
    const [node] = path;
    if (!path.includes(root) || !(node instanceof Element)) return;
    const key = (event.key || "").toLowerCase();
    const chord = event.ctrlKey || event.metaKey || event.altKey;
    const passes = chord ? key.length === 1 && !EDITS.includes(key) : key === "i" && !node.matches("input");
    if (passes) node.removeAttribute(SUPPRESS);
    else node.setAttribute(SUPPRESS, "true");
  };
  // JupyterLab listens on the document, so its listeners run later.
  window.addEventListener("keydown", mark, true);
  return () => window.removeEventListener("keydown", mark, true);
}
