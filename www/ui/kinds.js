// @ts-check
// What a kind of content says about itself.
/** @import { Label } from "./types.js" */

import { quote } from "./format.js";
import { kinds, labelText } from "./lists.js";

/** For a kind that is not known here. @type {Label} */
const ASKS_ANYTHING = { key: "asks_anything", text: "$1 asks you to sign this." };

/** @param {string} name of a kind */
export const kindOf = (name) => kinds().find((kind) => kind.name === name);

/** The name of a kind, as people read it. @param {string} name */
export function kindText(name) {
  const kind = kindOf(name);
  return kind ? labelText(kind.label) : quote(name);
}

/**
 * What a member asks to sign.
 * @param {string} kind
 * @param {string} who
 */
export const asksText = (kind, who) => labelText(kindOf(kind)?.asks ?? ASKS_ANYTHING, who);

/**
 * What people have to know before they sign it.
 * @param {string} kind
 */
export function warningText(kind) {
  const warning = kindOf(kind)?.warning;
  return warning ? labelText(warning) : "";
}
