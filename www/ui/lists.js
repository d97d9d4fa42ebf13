// @ts-check
// The ciphersuites, kinds of content and carriers that the node knows, as its snapshot lists them.
/** @import { CarrierView, KindView, Label, MessageKey, SuiteView } from "./types.js" */

import { quote } from "./format.js";
import { t } from "./i18n.js";

/** @type {{ suites: SuiteView[], kinds: KindView[], carriers: CarrierView[] }} */
let lists = { suites: [], kinds: [], carriers: [] };

/** @param {typeof lists} snapshot the lists of a running node never change */
export function setLists({ suites, kinds, carriers }) {
  if (suites.length) lists = { suites, kinds, carriers };
}

export const suites = () => lists.suites;
export const kinds = () => lists.kinds;

/**
 * The message with the label's key, or else the label's own text.
 * @param {Label} label
 * @param {string[]} values for $1, $2, ...
 */
export const labelText = ({ key, text }, ...values) =>
  t(/** @type {MessageKey} */ (key), ...values) || text.replace(/\$(\d)/g, (_, place) => values[place - 1]);

/** @param {string} suite name or id */
export function suiteText(suite) {
  const found = lists.suites.find(({ name, id }) => name === suite || id === suite);
  return found ? labelText(found.label) : quote(suite);
}

/** @param {string} carrier its id */
export function carrierText(carrier) {
  const found = lists.carriers.find(({ id }) => id === carrier);
  return found ? labelText(found.label) : quote(carrier);
}
