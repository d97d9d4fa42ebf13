// @ts-check
// The safety words of a session. The person compares them with every other participant before anything secret is sent.
/** @import { Context, View } from "./types.js" */

import { el, setText } from "./dom.js";
import { attempt, problemLine } from "./form.js";
import { t } from "./i18n.js";
import list from "./words.js";

/**
 * @param {Context} context
 * @param {string} session_id
 * @returns {View<number[] | null>}
 */
export function compareView({ command }, session_id) {
  const words = el("p.words", { "data-testid": "words" });
  const problem = problemLine();
  const match = el("button.primary", { "data-testid": "words-match" }, t("words_match"));
  const differ = el("button", { "data-testid": "words-differ" }, t("words_differ"));
  /** @param {HTMLElement} button @param {boolean} they_match */
  const confirm = (button, they_match) =>
    attempt(button, problem, () => command({ type: "confirm_words", session_id, they_match }));
  match.onclick = () => confirm(match, true);
  differ.onclick = () => confirm(differ, false);
  return {
    node: el("div.card.inner", { role: "group", "aria-label": t("words_title") },
      el("p", { role: "alert" }, t("words_lead")), words, el("p.meta", {}, t("words_hint")), problem,
      el("div.actions", {}, match, differ)),
    update(indices) {
      setText(words, (indices ?? []).map((index) => list[index]).join(" "));
    },
  };
}
