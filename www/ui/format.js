// @ts-check
// Turns values of a snapshot into text for people. Strings of peers are treated as hostile.
/** @import { CommandError, MessageKey, SetTimer, UiErrorCode } from "./types.js" */

import { el, setText } from "./dom.js";
import { t } from "./i18n.js";

/** What the protocol allows as a peer id. */
export const PEER_ID = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * A peer's string made safe to stand inside a sentence: bounded, without control characters, and isolated, so that
 * right-to-left text in it cannot reorder the words around it.
 * @param {string | null | undefined} text
 */
export function quote(text, limit = 80) {
  const clean = (text ?? "").replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, " ");
  return `\u2068${clean.length > limit ? `${clean.slice(0, limit - 1)}…` : clean}\u2069`;
}

/**
 * Text to be signed, exactly as it is: what would move or hide other characters is written out.
 * @param {string} text
 */
export const visible = (text) =>
  text.replace(/(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);

/** @param {string[]} parts */
export const list = (parts) => new Intl.ListFormat(t("language"), { type: "unit" }).format(parts);

/** @param {string[]} peers */
export const names = (peers) => list(peers.map((peer) => quote(peer)));

/** @param {unknown} error a CommandError, or whatever was thrown */
export function errorText(error) {
  const { code, message } = /** @type {Partial<CommandError>} */ (error ?? {});
  const text = t(`error_${/** @type {UiErrorCode} */ (code)}`);
  // For these codes the node's own message tells what is wrong in this case.
  const more = !text || /^(bad_(?!peer)\w+|storage|internal)$/.test(code ?? "");
  return (text || t("error_internal")) + (more && message ? ` ${quote(message, 300)}` : "");
}

/** @param {number} ms */
function duration(ms) {
  const seconds = Math.round(ms / 1000);
  /** @type {[number, string]} */
  const [size, unit] =
    seconds < 100 ? [1, "second"] : seconds < 6e3 ? [60, "minute"] : seconds < 2e5 ? [3600, "hour"] : [86400, "day"];
  const format = new Intl.NumberFormat(t("language"), { style: "unit", unit, unitDisplay: "short" });
  return format.format(Math.floor(seconds / size));
}

/** @param {MessageKey} key has as $1 the time since, or left until, the moment that `setTimer` sets */
export const timer = (key) => el("span.timer", { "data-key": key, hidden: "" });

/** @type {SetTimer} */
export function setTimer(node, at) {
  node.hidden = at === null;
  node.dataset.at = String(at);
  tick([node]);
}

/** Repaints timers in place; wanted once a second. */
export function tick(nodes = /** @type {Iterable<HTMLElement>} */ (document.querySelectorAll(".timer"))) {
  for (const node of nodes) {
    const left = Number(node.dataset.at) - Date.now();
    const key = /** @type {MessageKey} */ (node.dataset.key);
    const over = left < 0 && key.startsWith("time_left");
    if (!node.hidden) setText(node, t(over ? "time_up" : key, duration(Math.abs(left))));
  }
}
