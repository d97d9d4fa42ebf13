// @ts-check
// The form that proposes a session: its participants, and how many of them must sign together.
/** @import { SnapshotView } from "./types.js" */

import { el, keyed, setText } from "./dom.js";
import { PLAIN, attempt, field, problemLine, setProblem, unverifiedChoice } from "./form.js";
import { PEER_ID, names, quote } from "./format.js";
import { t } from "./i18n.js";
import { suiteChoice } from "./suite.js";

/** @type {SnapshotView} */
export function proposeView({ command, remember }) {
  const list = el("textarea", { ...PLAIN, rows: 2, "data-testid": "new-participants" });
  const threshold = el("input", { type: "number", min: 2, "data-testid": "new-threshold" });
  const id = el("input", { ...PLAIN, maxlength: 64, "data-testid": "new-session-id" });
  const suite = suiteChoice("new-suite");
  const choice = unverifiedChoice("new-allow-unverified");
  const online = el("div.chips", { role: "group", "aria-label": t("online_now") });
  const preview = el("p.meta");
  const problem = problemLine();
  const submit = el("button.primary", { "data-testid": "new-submit" }, t("propose"));
  const form = el("form", { novalidate: "" },
    field(list, "participants", "participants_hint"), online,
    el("div.columns", {}, field(threshold, "threshold", "threshold_hint"), field(id, "session_id", "session_id_hint")),
    suite.node, choice.node, preview, problem, submit);
  const node = el("details.card", {}, el("summary", { "data-testid": "new-session" }, t("new_session")), form);

  remember("participants", list);
  remember("threshold", threshold);
  remember("session_id", id);
  node.open = !!(list.value || threshold.value || id.value);
  threshold.value ||= "2";

  let self = "";
  /** @type {string[]} */
  let peersOnline = [];
  const typed = () => list.value.split(/[\s,;]+/).filter(Boolean);
  const participants = () => [...new Set([self, ...typed()])].filter(Boolean);

  const chips = keyed(online, (/** @type {string} */ peer) => peer, (peer) => {
    const chip = el("button.chip", { type: "button" }, quote(peer));
    chip.onclick = () => {
      const others = typed().filter((other) => other !== peer);
      list.value = (typed().includes(peer) ? others : [...others, peer]).join(", ");
      list.dispatchEvent(new Event("input", { bubbles: true }));
    };
    return { node: chip, update: () => (chip.ariaPressed = String(typed().includes(peer))) };
  });

  const describe = (form.oninput = () => {
    chips(peersOnline);
    const all = participants();
    preview.hidden = all.length < 2;
    setText(preview, t("new_preview", all.length, names(all), threshold.value));
  });

  form.onsubmit = async (event) => {
    event.preventDefault();
    const all = participants();
    const count = Number(threshold.value);
    const bad = all.find((peer) => !PEER_ID.test(peer));
    if (bad) return setProblem(problem, t("new_bad_peer", quote(bad)), list);
    if (all.length < 2) return setProblem(problem, t("new_bad_total"), list);
    if (count % 1 || count < 2 || count > all.length) {
      return setProblem(problem, t("new_bad_threshold", all.length), threshold);
    }
    const session_id = id.value.trim() || undefined;
    const allow_unverified = choice.box.checked;
    const worked = await attempt(submit, problem, () =>
      command({ type: "propose", session_id, participants: all, threshold: count, suite: suite.value(), allow_unverified }),
    );
    if (!worked) return;
    for (const input of [list, threshold, id]) {
      input.value = "";
      input.dispatchEvent(new Event("input"));
    }
    threshold.value = "2";
    choice.box.checked = node.open = false;
    describe();
  };

  return {
    node,
    update({ connection, peers_online }) {
      // The connection may break while somebody is typing: an open form stays.
      node.hidden = connection.state !== "online" && !node.open;
      self = connection.peer_id ?? "";
      peersOnline = peers_online;
      online.hidden = !peers_online.length;
      describe();
    },
  };
}
