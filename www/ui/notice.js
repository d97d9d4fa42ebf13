// @ts-check
// Shown in place of the node while it starts, is lost, runs in another tab, or has crashed.
/** @import { ClientState, Context, View } from "./types.js" */

import { el, setText } from "./dom.js";
import { setTimer, timer } from "./format.js";
import { t } from "./i18n.js";

/** @type {(context: Context) => View<{ state: ClientState, since: number, fatal: string | null }>} */
export function noticeView({ restart }) {
  const title = el("h2");
  const lead = el("p", { role: "status" });
  const detail = el("pre", { tabindex: 0, dir: "auto" });
  const since = timer("time_for");
  const button = el("button.primary", { onclick: restart });
  const node = el("section.card.late", {}, title, lead, detail, el("p.meta", {}, since), button);
  return {
    node,
    update({ state, since: at, fatal }) {
      const what = fatal === null ? state : "fatal";
      node.hidden = what === "ready";
      if (what === "ready") return;
      setText(title, t(`notice_${what}`));
      setText(lead, t(`notice_${what}_lead`));
      detail.hidden = !fatal;
      setText(detail, fatal ?? "");
      setTimer(since, fatal === null ? at : null);
      setText(button, t(what === "elsewhere" ? "use_here" : "restart"));
    },
  };
}
