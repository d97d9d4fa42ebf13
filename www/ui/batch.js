// @ts-check
// The contents of a request to sign several at once, each with its signatures once there are any.
/** @import { RequestView, View } from "./types.js" */

import { el } from "./dom.js";
import { visible } from "./format.js";
import { t } from "./i18n.js";
import { copyable } from "./wallet.js";

/**
 * @param {RequestView} request
 * @returns {View<RequestView>}
 */
export function batchView({ contents }) {
  const items = contents.flatMap(({ digests }) => digests).map((digest) => {
    const hash = copyable("digest", { "data-testid": "item-digest" });
    const signature = copyable("signature", { "data-testid": "item-signature" });
    hash.update(digest);
    return { node: el("div", {}, hash.node, signature.node), signature };
  });
  let first = 0;
  const blocks = contents.map(({ kind, shown, digests }, index) => {
    const fields = el("dl.content", {});
    for (const [name, value] of shown) {
      fields.append(el("dt.meta", {}, name), el("dd", {}, el("pre", { dir: "auto", tabindex: 0 }, visible(value))));
    }
    const own = items.slice(first, (first += digests.length)).map(({ node }) => node);
    const warning = kind === "hash" ? [el("p.problem", { role: "alert" }, t("hash_warning"))] : [];
    return el("div", { "data-testid": "batch-content" }, el("h4", {}, t("batch_content", index + 1, contents.length)), fields, ...warning, ...own);
  });
  return {
    node: el("div.stack", {}, ...blocks),
    update({ signatures }) {
      for (const [index, { signature }] of items.entries()) {
        signature.node.hidden = !signatures[index];
        signature.update(signatures[index]?.signature ?? "");
      }
    },
  };
}
