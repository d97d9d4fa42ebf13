// @ts-check
// The QR code of an invite, drawn as SVG.
/** @import { View } from "./types.js" */

import { el, icon } from "./dom.js";
import { t } from "./i18n.js";
import { generate } from "./qr.js";

/** Light modules around a code, as ISO/IEC 18004 wants them. */
const QUIET = 4;

/**
 * @param {string} text
 * @returns {View<unknown>}
 */
export function codeView(text) {
  const code = generate(text);
  let path = "";
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0; x < code.size; x += 1) if (code.get(x, y)) path += `M${x} ${y}h1v1h-1z`;
  }
  const svg = icon(path);
  const size = code.size + 2 * QUIET;
  svg.setAttribute("viewBox", `${-QUIET} ${-QUIET} ${size} ${size}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", t("invite_code"));
  svg.classList.add("qr");
  return { node: el("div", {}, svg), update() {} };
}
