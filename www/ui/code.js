// @ts-check
// The QR code of an invite, drawn as SVG.
/** @import { View } from "./types.js" */

import { el, icon } from "./dom.js";
import { t } from "./i18n.js";
import encodeQR from "./qr/index.js";

/** Width of the light border around a code, in modules (ISO/IEC 18004). */
const QUIET = 4;

/**
 * @param {string} text
 * @returns {View<unknown>}
 */
export function codeView(text) {
  const rows = encodeQR(text, "raw", { border: QUIET, ecc: "low" });
  const svg = icon(rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join(""));
  svg.setAttribute("viewBox", `0 0 ${rows.length} ${rows.length}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", t("invite_code"));
  svg.classList.add("qr");
  return { node: el("div", {}, svg), update() {} };
}
