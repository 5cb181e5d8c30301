/**
 * The page side of the live area: shows one execution of pyrepl-stream, as its kernel tells it.
 *
 * A Store belongs to a model and keeps the rows that the kernel still has, also while nothing shows them.
 * An Area is one view of it. What the far side printed comes in as text only and goes into the page as
 * text only (textContent); HTML of displays is rebuilt. There is no build step: `area/module.py` puts the
 * modules one behind the other, so no two of them may have a name in common.
 */

import { Area } from "./area.js";
import { Store } from "./store.js";

/**
 * One definition for each model, as anywidget has them: views share the store that is closed over.
 *
 * When a new kernel opens the model anew, the views go on with the new one, which is no other object for
 * the page than what anywidget hands out: the front end renders them anew only when the page is loaded.
 */
export default () => {
  let store = null;
  const areas = new Map(); // by element
  const begin = (model, manager) => {
    store = new Store(model, manager, (next) => {
      store.close();
      begin(next, manager);
      for (const [element, area] of areas) {
        area.close();
        areas.set(element, new Area(store, element));
      }
    });
  };
  return {
    initialize({ model }) {
      begin(model, model.widget_manager);
      return () => store.close();
    },
    render({ el }) {
      areas.set(el, new Area(store, el));
      return () => {
        areas.get(el).close();
        areas.delete(el);
      };
    },
  };
};
