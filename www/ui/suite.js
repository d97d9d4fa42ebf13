// @ts-check
// The choice of the signatures that a key is to make, for the forms that begin one.
/** @import { MessageKey, Suite } from "./types.js" */

import { el } from "./dom.js";
import { field } from "./form.js";
import { t } from "./i18n.js";

/** @param {string} testId */
export function suiteChoice(testId) {
  const option = (/** @type {MessageKey} */ label, /** @type {Suite} */ value) => el("option", { value }, t(label));
  const box = el("select", { "data-testid": testId },
    option("suite_secp256k1", "secp256k1"), option("suite_secp256k1_tr", "secp256k1-tr"));
  return { value: () => /** @type {Suite} */ (box.value), node: field(box, "suite") };
}
