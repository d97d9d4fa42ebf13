// @ts-check
// This node's identity, and its contacts.
/** @import { Card, ContactView, Context, Snapshot, View } from "./types.js" */

import { el, keyed, setText } from "./dom.js";
import { attempt, problemLine } from "./form.js";
import { quote, setTimer, timer } from "./format.js";
import { t } from "./i18n.js";

/** How long "Really forget?" is shown, in ms. */
const SURE = 5000;

/**
 * @param {Context} context
 * @returns {View<Snapshot | null>}
 */
export function peopleView(context) {
  const list = el("ul.peers");
  const show = keyed(list, (/** @type {ContactView} */ contact) => contact.fingerprint, (item) => row(context, item));
  const count = el("span.meta");
  const contacts = el("details.card", {}, el("summary", { "data-testid": "contacts" }, t("contacts"), " ", count), list);
  const identity = el("span", { "data-testid": "identity" });
  return {
    node: el("div.stack", {}, contacts, el("p.meta", {}, `${t("identity")} `, identity)),
    update(snapshot) {
      const known = snapshot?.contacts ?? [];
      contacts.hidden = !known.length;
      setText(count, String(known.length));
      setText(identity, snapshot?.identity);
      show(known);
    },
  };
}

/** @type {Card<ContactView>} */
function row({ command }, contact) {
  const who = contact.fingerprint;
  const name = el("strong");
  const trust = el("span.badge");
  const [first, last] = [timer("contact_first"), timer("contact_last")];
  const problem = problemLine();
  const button = (/** @type {string} */ testId) => el("button.small", { type: "button", "data-testid": testId });
  const [rename, block, forget] = ["contact-rename", "contact-block", "contact-forget"].map(button);
  const input = el("input", { dir: "auto", maxlength: 64, "aria-label": t("contact_name"), "data-testid": "contact-name" });
  const save = el("button.small", {}, t("contact_save"));
  const form = el("form.row", { hidden: "" }, input, save);
  const node = el("li", { "data-testid": "contact" },
    el("div.row", {}, name, trust), el("p.meta", { title: t("fingerprint") }, who), el("p.meta.dots", {}, first, last),
    form, problem, el("div.actions", {}, rename, block, forget));
  setText(rename, t("contact_rename"));
  let sure = false;
  const ask = (/** @type {boolean} */ asking) => {
    sure = asking;
    setText(forget, t(sure ? "contact_forget_sure" : "contact_forget"));
  };
  ask(false);

  rename.onclick = () => {
    form.hidden = !form.hidden;
    input.value = contact.name;
    if (!form.hidden) input.select();
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    const to = input.value.trim();
    form.hidden = await attempt(save, problem, () => command({ type: "rename_contact", who, name: to }));
  };
  block.onclick = () =>
    attempt(block, problem, () => command({ type: "block_contact", who, blocked: !contact.blocked }));
  forget.onclick = () => {
    if (sure) attempt(forget, problem, () => command({ type: "forget_contact", who }));
    else setTimeout(ask, SURE, false);
    // What a forgotten identity proved is lost: one slip must not do that.
    ask(true);
  };

  return {
    node,
    update(next) {
      contact = next;
      const good = next.verified && !next.blocked;
      node.dataset.name = next.name;
      node.dataset.status = next.blocked ? "blocked" : next.verified ? "verified" : "unverified";
      setText(name, quote(next.name));
      setText(trust, t(next.blocked ? "contact_blocked" : next.verified ? "verified" : "unverified"));
      trust.classList.toggle("good", good);
      setText(block, t(next.blocked ? "contact_unblock" : "contact_block"));
      setTimer(first, next.first_seen);
      setTimer(last, next.last_seen);
    },
  };
}
