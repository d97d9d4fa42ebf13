// @ts-check
// The ciphersuites and kinds of content that the node knows, as its snapshot lists them.
/** @import { KindView, Label, MessageKey, Snapshot, SuiteView } from "./types.js" */

import { quote } from "./format.js";
import { t } from "./i18n.js";

/** @type {{ suites: SuiteView[], kinds: KindView[] }} */
let lists = { suites: [], kinds: [] };

/** @param {Snapshot} snapshot the lists of a running node never change */
export function setLists({ suites, kinds }) {
  if (suites.length) lists = { suites, kinds };
}

export const suites = () => lists.suites;
export const kinds = () => lists.kinds;

/** What is asked for where the kind is not known here. @type {Label} */
const ASKS_ANYTHING = { key: "asks_anything", text: "$1 asks you to sign this." };

/**
 * The message with the label's key; where there is none, the label's own text.
 * @param {Label} label
 * @param {(string | number)[]} values for $1, $2, ...
 */
export const labelText = ({ key, text }, ...values) =>
  t(/** @type {MessageKey} */ (key), ...values) || text.replace(/\$(\d)/g, (_, place) => String(values[place - 1]));

/**
 * Which signatures a key makes.
 * @param {string} suite name or id
 */
export function suiteText(suite) {
  const found = lists.suites.find(({ name, id }) => name === suite || id === suite);
  return found ? labelText(found.label) : quote(suite);
}

/** @param {string} name of a kind of content */
export const kindOf = (name) => lists.kinds.find((kind) => kind.name === name);

/**
 * What a member asks to sign.
 * @param {string} kind
 * @param {string} who
 */
export const asksText = (kind, who) => labelText(kindOf(kind)?.asks ?? ASKS_ANYTHING, who);
