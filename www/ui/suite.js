// @ts-check
// The choice of the signatures that a key is to make, for the forms that begin one.

import { el } from "./dom.js";
import { field } from "./form.js";
import { labelText, suites } from "./lists.js";

/** @param {string} testId */
export function suiteChoice(testId) {
  const box = el("select", { "data-testid": testId },
    ...suites().map(({ name, label }) => el("option", { value: name }, labelText(label))));
  return { value: () => box.value, node: field(box, "suite") };
}
