// @ts-check
// Requests of the members of the wallets: to approve or decline, to follow, and to make.
/** @import { Card, ContentView, Context, GroupView, RequestView, Snapshot, View, WalletView } from "./types.js" */

import { el, keyed, section, setText } from "./dom.js";
import { attempt, problemLine } from "./form.js";
import { names, quote, setTimer, timer, visible } from "./format.js";
import { t } from "./i18n.js";
import { asksText, kindText, warningText } from "./kinds.js";
import { signView } from "./sign.js";
import { copyable } from "./wallet.js";

/** How many requests that are over are shown at first. */
const RECENT = 3;

/** How many contents of a request are shown at first. */
const SHOWN = 20;

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
      // What waits for this person comes first.
      open.sort((a, b) => Number(b.needs_decision) - Number(a.needs_decision) || a.created - b.created);
      current.update([...open, ...over.slice(0, RECENT)]);
      past(over.slice(RECENT));
      history.hidden = over.length <= RECENT;
      setText(count, String(over.length - RECENT));
      sign.update(snapshot);
    },
  };
}

/**
 * What is signed, one below the other; of many the first ones, and a button for the others.
 * @param {ContentView[]} contents
 */
function contentList(contents) {
  const node = el("dl.content", { "data-testid": "content" });
  const add = (/** @type {[string, string]} */ [name, value]) =>
    node.append(el("dt.meta", {}, name), el("dd", {}, el("pre", { dir: "auto", tabindex: 0 }, visible(value))));
  const several = contents.length > 1;
  const show = (/** @type {number} */ from, /** @type {number} */ to) => {
    contents.slice(from, to).forEach(({ kind, shown, digests }, index) => {
      if (several) {
        const title = t("content_of", from + index + 1, contents.length, kindText(kind));
        node.append(el("dt", { "data-testid": "content-title" }, title));
      }
      shown.forEach(add);
      // The one digest of one content stands below, to be copied.
      if (several && kind !== "hash") digests.forEach((digest) => add([t("digest"), digest]));
    });
  };
  show(0, SHOWN);
  const more = el("button", { type: "button", "data-testid": "more-contents" }, t("contents_more", contents.length - SHOWN));
  more.hidden = contents.length <= SHOWN;
  more.onclick = () => {
    show(SHOWN, contents.length);
    more.hidden = true;
  };
  return el("div", {}, node, more);
}

/** @type {Card<Item>} */
function requestCard({ command }, { id, kind, contents, digest, created, wallet, group }) {
  const lead = el("p");
  const state = el("span.badge");
  const several = contents.length > 1;
  const content = contentList(contents);
  const cautions = new Set(contents.map((each) => warningText(each.kind)).filter(Boolean));
  const warning = el("p.problem", { role: "alert" }, [...cautions].join(" "));
  warning.hidden = !cautions.size;
  const hash = copyable("digest", { "data-testid": "digest" });
  hash.update(digest);
  hash.node.hidden = several;
  const votes = el("p.meta");
  const declined = el("p.meta");
  const wait = el("p.meta", { role: "status" });
  const [since, left] = [timer("time_ago"), timer("time_left_answer")];
  const lines = (/** @type {string} */ text) => text.split(/(?<=\n)/);
  const signature = copyable(several ? "signatures" : "signature", { "data-testid": "signature" }, lines);
  const signers = el("p.meta");
  const problem = problemLine();
  const approve = el("button.primary", { "data-testid": "approve" }, t("approve"));
  const decline = el("button", { "data-testid": "decline" }, t("decline"));
  const title = wallet?.name ?? `${group.pubkey.slice(0, 12)}…`;
  const actions = el("div.actions", {}, approve, decline);
  const self = group.members.find(({ me }) => me)?.peer_id;
  const count = contents.length;
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
      const own = several ? t("asks_self_batch", count) : t("asks_self");
      const proposer = quote(request.proposer);
      setText(lead, request.proposer === self ? own : several ? t("asks_batch", proposer, count) : asksText(kind, proposer));
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
      signature.update(request.signatures.map((one) => one.signature).join("\n"));
      setText(signers, t("signed_by", names(request.signers)));
      // A vote can be changed until the signature is there.
      approve.hidden = over && request.state !== "declined" || request.decision === true;
      decline.hidden = over || request.decision === false;
      actions.hidden = approve.hidden && decline.hidden;
      setText(decline, t(request.decision ? "approve_undo" : "decline"));
    },
  };
}
