// @ts-check
// Sessions: one to join or decline, or one this node takes part in, with its step, the peers it waits for, and its end.
/** @import { Card, PeerView, SessionView, View } from "./types.js" */

import { el, keyed, later, setText } from "./dom.js";
import { attempt, problemLine, setProblem, unverifiedChoice } from "./form.js";
import { names, quote, setTimer, timer } from "./format.js";
import { t } from "./i18n.js";
import { carrierText, suiteText } from "./lists.js";
import { groupKey } from "./wallet.js";

/** @param {SessionView} session its name is chosen by its proposer */
const titleOf = ({ name, session_id }) => quote(name || session_id);

/** @type {Card<SessionView>} A proposal of another peer, which this person joins or declines. */
export function proposalCard({ command }, session) {
  const { session_id } = session;
  const title = el("h3", { title: session_id }, titleOf(session));
  const lead = el("p", { role: "alert" });
  const [roster, makes] = [el("p.meta"), el("p.meta")];
  const since = timer("time_ago");
  const left = timer("time_left_answer");
  const choice = unverifiedChoice("allow-unverified");
  const problem = problemLine();
  const join = el("button.primary", { "data-testid": "join" }, t("join"));
  const decline = el("button", { "data-testid": "decline" }, t("decline"));
  const node = el("article.card.asking", { "data-testid": "proposal", "data-session-id": session_id },
    title, lead, roster, makes, el("p.meta.dots", {}, since, left),
    choice.node, problem, el("div.actions", {}, join, decline));
  let unverified = !session.verified_only;

  join.onclick = () => {
    const allow_unverified = choice.box.checked;
    if (unverified && !allow_unverified) return setProblem(problem, t("unverified_refused"), choice.box);
    attempt(join, problem, () => command({ type: "accept", session_id, allow_unverified }));
  };
  decline.onclick = () => attempt(decline, problem, () => command({ type: "decline", session_id }));
  choice.box.onchange = () => setProblem(problem, "");

  return {
    node,
    update({ proposer, participants, total, threshold, suite, verified_only, since: at, deadline }) {
      unverified = !verified_only;
      choice.node.hidden = !unverified;
      setText(lead, t("proposal_lead", quote(proposer), total, threshold));
      setText(roster, t("participants_are", names(participants)));
      setText(makes, suiteText(suite));
      setTimer(since, at);
      setTimer(left, deadline);
    },
  };
}

const STEPS = /** @type {const} */ (["proposed", "meshing", "round1", "round2", "confirming"]);

/** @param {SessionView} session -1 for one that has ended */
const stepOf = ({ phase }) => STEPS.findIndex((step) => step === phase);

/** @type {Card<SessionView>} One this node takes part in. */
export function sessionCard(context, session) {
  const { command } = context;
  const { session_id } = session;
  const end = el("button.small");
  const [about, makes] = [el("p.meta"), el("p.meta")];
  const steps = STEPS.map((step) => el("li", {}, t(`step_${step}`)));
  const track = el("ol.track", { "aria-label": t("steps") }, ...steps);
  const state = el("p.phase", { role: "status" });
  const wait = el("span");
  const since = timer("time_for");
  const left = timer("time_left");
  const waiting = el("p.dots", {}, wait, since, left);
  const compare = later(async () => (await import("./compare.js")).compareView(context, session_id));
  const result = el("p");
  const key = groupKey();
  const list = el("ul.peers");
  const problem = problemLine();
  const node = el("article.card", { "data-testid": "session", "data-session-id": session_id },
    el("div.row", {}, el("h3", { title: session_id }, titleOf(session)), end),
    about, makes, track, state, compare.node, waiting, result, key.node, list, problem);
  const showPeers = keyed(list, (/** @type {PeerView} */ peer) => peer.peer_id, () => peerRow(() => session));

  end.onclick = () =>
    attempt(end, problem, () => command({ type: stepOf(session) < 0 ? "dismiss" : "cancel", session_id }));

  return {
    node,
    update(next) {
      session = next;
      const { phase, pubkey, reason, threshold, total, waiting_for, words } = session;
      const text = quote(reason?.text || t("reason_unknown"), 300);
      const culprit = reason?.peer_id ? quote(reason.peer_id) : "";
      const step = stepOf(session);
      node.dataset.phase = phase;
      setText(end, t(step < 0 ? "dismiss" : "cancel"));
      setText(about, t("session_about", threshold, total, session.identifier, quote(session.proposer)));
      setText(makes, suiteText(session.suite));
      setText(state, t(words ? "words_title" : `phase_${phase}`));
      node.classList.toggle("asking", !!words);
      compare.update(words);
      track.hidden = waiting.hidden = step < 0;
      steps.forEach((item, index) => {
        item.classList.toggle("past", index < step);
        item.ariaCurrent = index === step ? "step" : null;
      });
      result.hidden = step >= 0;
      if (phase === "done") setText(result, t("session_done"));
      else if (phase === "aborted") setText(result, t(culprit ? "reason_peer" : "reason_plain", text, culprit));
      else setText(wait, words ? t("words_wait") : waiting_for.length ? t(`wait_${phase}`, names(waiting_for)) : t("wait_self"));
      setTimer(since, session.since);
      setTimer(left, session.deadline);
      key.node.hidden = phase !== "confirming" || !pubkey;
      key.update(pubkey ?? "");
      showPeers(session.peers);
    },
  };
}

/**
 * One other participant: whether it joined, its connection and carrier, whether it is verified, its last step, and since
 * when this node waits for it.
 * @param {() => SessionView} session the session of the row, as it is now
 * @returns {View<PeerView>}
 */
function peerRow(session) {
  const name = el("strong");
  const trust = el("span.badge");
  const [joined, reach, step] = [el("span"), el("span"), el("span")];
  const awaited = timer("awaited_for");
  const print = el("p.meta", { title: t("fingerprint") });
  const node = el("li", { "data-testid": "peer" },
    el("div.row", {}, name, trust), el("p.meta.dots", {}, joined, reach, step, awaited), print);
  return {
    node,
    update({ peer_id, state, carrier, verified, fingerprint, step: last }) {
      const { phase, waiting_for, since, verified_only } = session();
      // Until the words are compared, before round 2, an identity is known but not verified.
      const proven = verified && verified_only && (phase === "done" || stepOf(session()) > 2);
      node.dataset.peerId = name.title = peer_id;
      node.dataset.state = state;
      setText(name, quote(peer_id));
      setText(trust, t(proven ? "verified" : verified_only ? "verified_not_yet" : "unverified"));
      trust.hidden = phase === "aborted";
      trust.classList.toggle("good", proven);
      print.hidden = !fingerprint;
      setText(print, fingerprint ?? "");
      // A connection shows that it has joined, too.
      setText(joined, t(last || state !== "waiting" ? "peer_joined" : "peer_not_joined"));
      reach.hidden = state === "waiting";
      const apart = state === "connecting" || state === "lost";
      setText(reach, carrier && !apart ? carrierText(carrier) : t(apart ? `peer_${state}` : "peer_connected"));
      step.hidden = !last || last === "accepted";
      setText(step, last && t(`step_${last}`));
      setTimer(awaited, stepOf(session()) >= 0 && waiting_for.includes(peer_id) ? since : null);
    },
  };
}
