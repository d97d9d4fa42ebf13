// @ts-check
// A wallet this node holds a signing share of, and its group key.
/** @import { Attributes, MessageKey, View, WalletView } from "./types.js" */

import { el, setText } from "./dom.js";
import { names, quote, setTimer, timer } from "./format.js";
import { t } from "./i18n.js";
import { suiteText } from "./lists.js";

/**
 * @param {WalletView} wallet
 * @returns {View<WalletView>}
 */
export function walletCard({ pubkey, name, session_id, ciphersuite, created }) {
  const about = el("p.meta");
  const roster = el("p.meta");
  const trust = el("span.badge");
  const certificate = el("span.badge.good", { title: t("certified_hint") }, t("certified"));
  const key = groupKey();
  const made = timer("made_ago");
  made.title = new Date(created).toLocaleString(t("language"));
  const node = el("article.card", { "data-testid": "wallet", "data-pubkey": pubkey },
    el("div.row", {}, el("h3", { title: session_id }, quote(name ?? session_id)), el("span", {}, certificate, " ", trust)),
    about, key.node, roster, el("p.meta.dots", {}, el("span", {}, suiteText(ciphersuite)), made));
  return {
    node,
    update({ threshold, total, identifier, participants, verified, certified }) {
      setText(about, t("wallet_about", threshold, total, identifier));
      setText(roster, t("participants_are", names(participants)));
      setText(trust, t(verified ? "verified" : "unverified_participants"));
      trust.classList.toggle("good", verified);
      certificate.hidden = !certified;
      key.update(pubkey);
      setTimer(made, created);
    },
  };
}

/** A whole group key, in groups that are easy to compare. The first byte is the parity of the point. */
export const groupKey = () =>
  copyable("group_key", {}, (hex) => [hex.slice(0, 2), ...(hex.slice(2).match(/.{1,8}/g) ?? [])]);

/**
 * A whole text that can be copied as one string.
 * @param {MessageKey} label
 * @param {Attributes} attributes
 * @returns {View<string>}
 */
export function copyable(label, attributes, split = (/** @type {string} */ text) => [text]) {
  const code = el("code", attributes);
  const copy = copyButton("copy", () => code.textContent ?? "");
  return {
    node: el("div.key", {}, el("div.row", {}, el("span.meta", {}, t(label)), copy), code),
    update(text) {
      if (code.textContent === text) return;
      code.replaceChildren(...split(text).flatMap((each) => [el("span", {}, each), el("wbr")]));
    },
  };
}

/**
 * @param {MessageKey} label
 * @param {() => string} text
 */
export function copyButton(label, text) {
  const copy = el("button.small", { type: "button" }, t(label));
  copy.onclick = async () => {
    const worked = await navigator.clipboard?.writeText(text()).then(() => true, () => false);
    setText(copy, t(worked ? "copied" : "copy_failed"));
    setTimeout(() => setText(copy, t(label)), 2000);
  };
  return copy;
}
