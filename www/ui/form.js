// @ts-check
// Parts of forms: labelled fields, one line for the error, and buttons that cannot be pressed twice.
/** @import { Attempt, MakeField, SetProblem } from "./types.js" */

import { el, setText } from "./dom.js";
import { errorText } from "./format.js";
import { t } from "./i18n.js";

/** For ids and addresses. */
export const PLAIN = { autocomplete: "off", spellcheck: "false", dir: "auto" };

let lastId = 0;

/** @type {MakeField} */
export function field(input, label, hint) {
  input.id = `field-${(lastId += 1)}`;
  const node = el("div.field", {}, el("label", { for: input.id }, t(label)), input);
  if (!hint) return node;
  input.setAttribute("aria-describedby", `${input.id}-hint`);
  node.append(el("p.hint", { id: `${input.id}-hint` }, t(hint)));
  return node;
}

/**
 * The choice to take part with peers without a verified identity. Never set beforehand.
 * @param {string} testId
 */
export function unverifiedChoice(testId) {
  const box = el("input", { type: "checkbox", "data-testid": testId });
  const words = el("span", {}, t("unverified_allow"), el("span.hint", {}, t("unverified_hint")));
  return { box, node: el("label.choice", {}, box, words) };
}

/** The line of a form or card that shows what went wrong. */
export const problemLine = () => el("p.problem", { role: "alert", hidden: "" });

/** @type {SetProblem} */
export function setProblem(line, text, culprit) {
  line.hidden = !text;
  setText(line, text);
  line.parentElement?.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
  culprit?.setAttribute("aria-invalid", "true");
  culprit?.focus();
}

/** @type {Attempt} Runs the work of a button. A second press while it runs does nothing. */
export async function attempt(button, line, work) {
  if (button.ariaDisabled) return false;
  button.ariaDisabled = "true";
  setProblem(line, "");
  try {
    await work();
    return true;
  } catch (error) {
    setProblem(line, errorText(error));
    return false;
  } finally {
    button.ariaDisabled = null;
  }
}
