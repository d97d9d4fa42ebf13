// @ts-check
// What members of the wallets ask each other to sign: to approve or decline, to follow, and to ask for.
/** @import { Card, Context, GroupView, RequestView, Snapshot, View, WalletView } from "./types.js" */

import { el, keyed, section, setText } from "./dom.js";
import { attempt, problemLine } from "./form.js";
import { names, quote, setTimer, timer, visible } from "./format.js";
import { t } from "./i18n.js";
import { asksText, warningText } from "./kinds.js";
import { signView } from "./sign.js";
import { copyable } from "./wallet.js";

/** How many of those that are over are shown without asking. */
const RECENT = 3;

/** @typedef {RequestView & { group: GroupView, wallet?: WalletView }} Item */

/** @param {RequestView} request */
const isOver = ({ state }) => state === "signed" || state === "declined" || state === "expired";

/**
 * @param {Context} context
 * @returns {View<Snapshot | null>}
 */
export function requestsView(context) {
  const idOf = (/** @type {Item} */ item) => item.id;
  const make = (/** @type {Item} */ item) => requestCard(context, item);
  const current = section(t("requests"), idOf, make);
  const list = el("div.stack");
  const past = keyed(list, idOf, make);
  const count = el("span.meta");
  const history = el("details.card", {}, el("summary", { "data-testid": "request-history" }, t("requests_past"), " ", count), list);
  const sign = signView(context);
  return {
    node: el("div.stack", {}, current.node, sign.node, history),
    update(snapshot) {
      const { groups, wallets } = snapshot ?? { groups: [], wallets: [] };
      const of = (/** @type {GroupView} */ group) => wallets.find(({ pubkey }) => pubkey === group.pubkey);
      const all = groups.flatMap((group) => group.requests.map((request) => ({ ...request, group, wallet: of(group) })));
      const over = all.filter(isOver).sort((a, b) => b.created - a.created);
      const open = all.filter((request) => !isOver(request));
      // What waits for this person stands first.
      open.sort((a, b) => Number(b.needs_decision) - Number(a.needs_decision) || a.created - b.created);
      current.update([...open, ...over.slice(0, RECENT)]);
      past(over.slice(RECENT));
      history.hidden = over.length <= RECENT;
      setText(count, String(over.length - RECENT));
      sign.update(snapshot);
    },
  };
}

/** @type {Card<Item>} */
function requestCard({ command }, { id, kind, shown, contents, digest, created, wallet, group }) {
  const lead = el("p");
  const state = el("span.badge");
  const content = el("dl.content", { "data-testid": "content" });
  for (const [name, value] of shown) {
    content.append(el("dt.meta", {}, name), el("dd", {}, el("pre", { dir: "auto", tabindex: 0 }, visible(value))));
  }
  const cautions = new Set(contents.map((each) => warningText(each.kind)).filter(Boolean));
  const warning = el("p.problem", { role: "alert" }, [...cautions].join(" "));
  warning.hidden = !cautions.size;
  const hash = copyable("digest", { "data-testid": "digest" });
  hash.update(digest);
  const votes = el("p.meta");
  const declined = el("p.meta");
  const wait = el("p.meta", { role: "status" });
  const [since, left] = [timer("time_ago"), timer("time_left_answer")];
  const signature = copyable("signature", { "data-testid": "signature" });
  const signers = el("p.meta");
  const problem = problemLine();
  const approve = el("button.primary", { "data-testid": "approve" }, t("approve"));
  const decline = el("button", { "data-testid": "decline" }, t("decline"));
  const title = wallet?.name ?? `${group.pubkey.slice(0, 12)}…`;
  const actions = el("div.actions", {}, approve, decline);
  const self = group.members.find(({ me }) => me)?.peer_id;
  const node = el("article.card", { "data-testid": "request", "data-request-id": id },
    el("div.row", {}, el("h3", { title: group.pubkey }, quote(title)), state), lead, content, warning, hash.node,
    votes, declined, wait, el("p.meta.dots", {}, since, left), signature.node, signers, problem, actions);
  approve.onclick = () => attempt(approve, problem, () => command({ type: "approve_request", request: id }));
  decline.onclick = () => attempt(decline, problem, () => command({ type: "decline_request", request: id }));

  return {
    node,
    update(request) {
      const over = isOver(request);
      node.dataset.state = request.state;
      node.classList.toggle("asking", request.needs_decision);
      setText(state, t(`request_${request.state}`));
      state.classList.toggle("good", request.state === "signed");
      setText(lead, request.proposer === self ? t("asks_self") : asksText(kind, quote(request.proposer)));
      const { approved, waiting_for } = request;
      setText(votes, t("votes_for", approved.length, request.group.threshold, names(approved)));
      votes.hidden = !approved.length;
      declined.hidden = !request.declined.length;
      setText(declined, t("votes_against", names(request.declined)));
      const awaits = request.state === "approved" && (waiting_for.length ? t("signing_wait", names(waiting_for)) : t("signers_wait"));
      wait.hidden = !awaits;
      setText(wait, awaits || "");
      setTimer(since, created);
      setTimer(left, over ? null : request.expires);
      signature.node.hidden = signers.hidden = !request.signature;
      signature.update(request.signature ?? "");
      setText(signers, t("signed_by", names(request.signers)));
      // A vote can be changed until the signature is there.
      approve.hidden = over && request.state !== "declined" || request.decision === true;
      decline.hidden = over || request.decision === false;
      actions.hidden = approve.hidden && decline.hidden;
      setText(decline, t(request.decision ? "approve_undo" : "decline"));
    },
  };
}
