// @ts-check
// Builds and updates elements. Data becomes text nodes and attributes, never markup.
/** @import { Later, MakeElement, MakeList, MakeSection } from "./types.js" */

/** @type {MakeElement} */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  node.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, String(value));
  }
  node.append(...children);
  return /** @type {any} */ (node);
}

/** @param {HTMLElement} node stays untouched if its text is the same: then no screen reader repeats it */
export function setText(node, text = "") {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {string} path of a line icon on a 24 x 24 grid */
export function icon(path) {
  const [svg, line] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** @type {MakeList} Rows that stay are reused: no focus, click or selection is lost. */
export function keyed(parent, keyOf, make) {
  let rows = new Map();
  return (items) => {
    const next = new Map(items.map((item) => [keyOf(item), rows.get(keyOf(item)) ?? make(item)]));
    for (const [key, { node }] of rows) if (!next.has(key)) node.remove();
    rows = next;
    let sibling = parent.firstChild;
    for (const item of items) {
      const { node, update } = rows.get(keyOf(item));
      update(item);
      if (node !== sibling) parent.insertBefore(node, sibling);
      sibling = node.nextSibling;
    }
  };
}

/** @type {MakeSection} Hidden while it has no cards. */
export function section(title, keyOf, make, ...lead) {
  const list = el("div.stack");
  const node = el("section.stack", { "aria-label": title }, el("h2", {}, title), ...lead, list);
  const show = keyed(list, keyOf, make);
  return {
    node,
    update(items) {
      node.hidden = !items.length;
      show(items);
    },
  };
}

/** @type {Later} A part whose module is loaded when it first has a value to show. `null` is none. */
export function later(load) {
  const node = el("div.stack", { hidden: "" });
  /** @type {ReturnType<typeof load> | null} */
  let made = null;
  /** @type {any} */
  let latest = null;
  return {
    node,
    async update(value) {
      latest = value;
      node.hidden = value === null;
      if (value === null && !made) return;
      made ??= load();
      // A load that failed is retried with the next change.
      const view = await made.catch(() => (made = null));
      if (view && !view.node.isConnected) node.append(view.node);
      view?.update(latest);
    },
  };
}
