// @ts-check
// A wallet this node holds a signing share of, and its group key.
/** @import { View, Wallet } from "./types.js" */

import { el, setText } from "./dom.js";
import { names, quote, setTimer, timer } from "./format.js";
import { t } from "./i18n.js";

/**
 * @param {Wallet} wallet
 * @returns {View<Wallet>}
 */
export function walletCard({ pubkey, session_id, created }) {
  const about = el("p.meta");
  const roster = el("p.meta");
  const trust = el("span.badge");
  const key = groupKey();
  const made = timer("made_ago");
  made.title = new Date(created).toLocaleString(t("language"));
  const node = el("article.card", { "data-testid": "wallet", "data-pubkey": pubkey },
    el("div.row", {}, el("h3", { title: session_id }, quote(session_id)), trust),
    about, key.node, roster, el("p.meta", {}, made));
  return {
    node,
    update({ threshold, total, identifier, participants, verified }) {
      setText(about, t("wallet_about", threshold, total, identifier));
      setText(roster, t("participants_are", names(participants)));
      setText(trust, t(verified ? "verified" : "unverified_participants"));
      trust.classList.toggle("good", verified);
      key.update(pubkey);
      setTimer(made, created);
    },
  };
}

/**
 * A group key in full: in groups that the eye can compare, copied as one string.
 * @returns {View<string>}
 */
export function groupKey() {
  const code = el("code");
  const copy = el("button.small", {}, t("copy"));
  copy.onclick = async () => {
    const worked = await navigator.clipboard?.writeText(code.textContent ?? "").then(() => true, () => false);
    setText(copy, t(worked ? "copied" : "copy_failed"));
    setTimeout(() => setText(copy, t("copy")), 2000);
  };
  return {
    node: el("div.key", {}, el("div.row", {}, el("span.meta", {}, t("group_key")), copy), code),
    update(hex) {
      if (code.textContent === hex) return;
      // The first byte is the parity of the point, the rest its coordinate.
      const groups = [hex.slice(0, 2), ...(hex.slice(2).match(/.{1,8}/g) ?? [])];
      code.replaceChildren(...groups.flatMap((each) => [el("span", {}, each), el("wbr")]));
    },
  };
}
