// @ts-check
// The first view: sets a password the first time, and unlocks after that.
/** @import { SnapshotView } from "./types.js" */

import { el, setText } from "./dom.js";
import { attempt, field, problemLine, setProblem } from "./form.js";
import { t } from "./i18n.js";

/** @type {SnapshotView} */
export function unlockView({ command }) {
  const password = el("input", { type: "password", "data-testid": "password" });
  const again = el("input", { type: "password", autocomplete: "new-password", "data-testid": "password-confirm" });
  const againField = field(again, "password_confirm");
  const heading = el("h2");
  const lead = el("p");
  const problem = problemLine();
  const submit = el("button.primary", { "data-testid": "password-submit" });
  const node = el("form.card", { novalidate: "" }, heading, lead, field(password, "password"), problem, submit);
  let setting = false;
  const name = () => setText(submit, t(setting ? "password_set" : "unlock"));

  node.onsubmit = async (event) => {
    event.preventDefault();
    if (submit.ariaDisabled) return;
    if (!password.value) return setProblem(problem, t("password_missing"), password);
    if (setting && again.value !== password.value) return setProblem(problem, t("password_differs"), again);
    setText(submit, t(setting ? "password_setting" : "unlocking"));
    const type = setting ? "set_password" : "unlock";
    const worked = await attempt(submit, problem, () => command({ type, password: password.value }));
    name();
    if (worked) password.value = again.value = "";
    else password.select();
  };

  return {
    node,
    update({ keystore }) {
      if (submit.ariaDisabled) return;
      setting = keystore === "absent";
      setText(heading, t(setting ? "password_set_title" : "unlock_title"));
      setText(lead, t(setting ? "password_set_lead" : "unlock_lead"));
      name();
      password.autocomplete = setting ? "new-password" : "current-password";
      if (!setting) againField.remove();
      else if (!againField.isConnected) problem.before(againField);
      if (document.activeElement === document.body) password.focus();
    },
  };
}
