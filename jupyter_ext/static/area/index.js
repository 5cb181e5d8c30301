/**
 * The page side of the live area, which shows one execution of pyrepl-stream.
 *
 * A Store belongs to a model and keeps the rows that the kernel still has, even while no view shows them. Its
 * Life follows the kernel, and its Repair requests what is missing. An Area is one view of it, with a module
 * for each part: heading, stop, bell, sources, rows (their elements are in blocks), bars, question, search,
 * log, notes. Output of the program arrives as text and enters the page as text only (textContent); the HTML
 * of displays is rebuilt from an allow-list. There is no build step: `area/module.py` joins these modules into
 * one, so no two of them may define the same top-level name.
 */

import { Area } from "./area.js";
import { Store } from "./store.js";

/**
 * Return the definition of one model, as anywidget expects it. All views of the model share one store.
 *
 * When a new kernel opens the model again, the views switch to the new model. anywidget keeps the old object,
 * and the front end would render the views again only after the page is reloaded.
 */
export default () => {
  /** @type {Store} */
  let store;
  /** @type {Map<HTMLElement, Area>} */
  const areas = new Map(); // by element
  const open = (model, manager) => {
    store = new Store(model, manager, (newModel) => {
      store.close();
      open(newModel, manager);
      for (const [element, area] of areas) {
        area.close();
        areas.set(element, new Area(store, element));
      }
    });
  };
  return {
    initialize({ model }) {
      open(model, model.widget_manager);
      return () => store.close();
    },
    render({ el }) {
      areas.set(el, new Area(store, el));
      return () => {
        areas.get(el)?.close();
        areas.delete(el);
      };
    },
  };
};
