// @ts-check
// Invites: make one and see which guests have joined, or take part by one that somebody else made.
/** @import { Card, Context, InviteView, Snapshot, View } from "./types.js" */

import { el, keyed, later, setText } from "./dom.js";
import { PLAIN, attempt, field, problemLine, setProblem } from "./form.js";
import { PEER_ID, quote, setTimer, timer } from "./format.js";
import { t } from "./i18n.js";
import { suiteChoice } from "./suite.js";
import { copyButton, copyable } from "./wallet.js";

/**
 * @param {Context} context
 * @returns {View<Snapshot | null>}
 */
export function inviteView(context) {
  const make = makeForm(context);
  const join = joinForm(context);
  const node = el("details.card", {}, el("summary", { "data-testid": "invites" }, t("invite_title")), make.node, join.node);
  let shown = false;
  return {
    node,
    update(snapshot) {
      // A person without a key came to make one.
      if (snapshot && !shown) node.open = !snapshot.wallets.length;
      shown ||= !!snapshot;
      make.node.hidden = snapshot?.connection.state !== "online";
      if (join.update(snapshot)) node.open = true;
    },
  };
}

/** @param {Context} context */
function makeForm({ command, remember }) {
  const number = (/** @type {string} */ testId) =>
    el("input", { type: "number", min: 2, max: 64, "data-testid": testId });
  const total = number("invite-total");
  const threshold = number("invite-threshold");
  const name = el("input", { ...PLAIN, maxlength: 40, "data-testid": "invite-name" });
  const suite = suiteChoice("invite-suite");
  const problem = problemLine();
  const submit = el("button.primary", { "data-testid": "invite-submit" }, t("invite_make"));
  const node = el("form", { novalidate: "" },
    el("p.meta", {}, t("invite_lead")),
    el("div.pair", {}, field(total, "participants"), field(threshold, "threshold")),
    field(name, "invite_name", "invite_name_hint"), suite.node, problem, submit);

  remember("invite_total", total);
  remember("invite_threshold", threshold);
  remember("invite_name", name);
  total.value ||= "3";
  threshold.value ||= "2";

  node.onsubmit = async (event) => {
    event.preventDefault();
    const [all, signers] = [Number(total.value), Number(threshold.value)];
    if (all % 1 || all < 2 || all > 64) return setProblem(problem, t("invite_bad_total"), total);
    if (signers % 1 || signers < 2 || signers > all) {
      return setProblem(problem, t("new_bad_threshold", all), threshold);
    }
    const worked = await attempt(submit, problem, () =>
      command({ type: "invite", total: all, threshold: signers, suite: suite.value(), name: name.value.trim() || undefined }),
    );
    if (!worked) return;
    name.value = "";
    name.dispatchEvent(new Event("input"));
  };
  return { node };
}

/** @param {Context} context */
function joinForm({ command, takeInvite }) {
  const text = el("input", { ...PLAIN, "data-testid": "invite-paste", placeholder: "frostmesh:…" });
  const peer = el("input", { ...PLAIN, maxlength: 64, "data-testid": "invite-peer-id" });
  const peerField = field(peer, "peer_id", "invite_peer_id_hint");
  const problem = problemLine();
  const submit = el("button.primary", { "data-testid": "invite-join" }, t("join"));
  const scan = el("button", { type: "button", "data-testid": "invite-scan" }, t("invite_scan"));
  const camera = el("div");
  const node = el("form", { novalidate: "" }, field(text, "invite_paste", "invite_paste_hint"), camera, peerField, problem,
    el("div.actions", {}, submit, scan));
  let filled = false;
  /** @type {null | (() => void)} ends the scan that runs */
  let stop = null;

  const found = (/** @type {string} */ invite) => {
    text.value = invite;
    // Joining may leave the present server: the person decides that.
    setTimeout(() => submit.focus());
    end();
  };
  const end = () => {
    stop?.();
    stop = null;
    setText(scan, t("invite_scan"));
  };
  scan.hidden = !navigator.mediaDevices;
  scan.onclick = async () => {
    if (stop) return end();
    await attempt(scan, problem, async () => {
      const { scan: look } = await import("./scan.js");
      stop = await look(camera, found).catch(() => Promise.reject({ code: "no_camera" }));
      setText(scan, t("invite_scan_stop"));
    });
  };

  node.onsubmit = async (event) => {
    event.preventDefault();
    const [invite, peer_id] = [text.value.trim(), peerField.hidden ? "" : peer.value.trim()];
    if (!invite) return setProblem(problem, t("error_bad_invite"), text);
    if (peer_id && !PEER_ID.test(peer_id)) return setProblem(problem, t("error_bad_peer_id"), peer);
    const worked = await attempt(submit, problem, () =>
      command({ type: "join_invite", invite, peer_id: peer_id || undefined }),
    );
    if (worked) text.value = "";
  };

  return {
    node,
    /** @param {Snapshot | null} snapshot @returns whether there is an invite that the person has to see */
    update(snapshot) {
      if (!snapshot) {
        // An invite is secret: nothing of a locked node stays.
        text.value = "";
        end();
        return false;
      }
      const { state, peer_id } = snapshot.connection;
      peerField.hidden = state === "online";
      if (!filled) peer.value = peer_id ?? "";
      filled = true;
      const invite = takeInvite();
      if (!invite) return false;
      found(invite);
      return true;
    },
  };
}

/** @type {Card<InviteView>} An invite that waits for guests. */
export function inviteCard({ command, pageUrl }, { session_id, name, mine, host, uri }) {
  const title = name ? quote(name) : t("invite_unnamed");
  const about = el("span");
  const left = timer("time_left_short");
  const missing = el("p.phase", { role: "status", "data-testid": "invite-missing" });
  const problem = problemLine();
  const end = el("button.small", { "data-testid": "invite-withdraw" }, t(mine ? "invite_withdraw" : "cancel"));
  end.onclick = () => attempt(end, problem, () => command({ type: "cancel", session_id }));
  const address = copyable("invite_uri", { "data-testid": "invite-uri" });
  address.update(uri ?? "");
  const guests = el("ul.peers");
  const showGuests = keyed(guests, ([peer]) => peer, guestRow);
  const node = el("article.card", { "data-testid": "invite", "data-session-id": session_id },
    el("div.row", {}, el("h3", { title: session_id }, title), end), el("p.meta.dots", {}, about, left), missing);
  if (uri) {
    const code = later(async () => (await import("./code.js")).codeView(uri));
    const scan = el("details", {}, el("summary", {}, t("invite_code")), code.node);
    scan.ontoggle = () => code.update(scan.open || null);
    node.append(el("p.meta", {}, t("invite_hand_out")), address.node);
    if (pageUrl) node.append(copyButton("invite_copy_link", () => uri.replace(/^frostmesh:/, `${pageUrl}#`)));
    node.append(scan);
  }
  node.append(guests, problem);
  return {
    node,
    update({ total, threshold, expires, guests: here }) {
      const open = total - 1 - here.length;
      setText(about, t("invite_about", threshold, total));
      setTimer(left, expires * 1000);
      setText(missing, mine ? t("invite_missing", open) : t("invite_waits", quote(host)));
      node.dataset.missing = String(open);
      guests.hidden = !here.length;
      showGuests(here);
    },
  };
}

/** @param {[string, string]} guest one that has joined, and its fingerprint */
function guestRow([peer, fingerprint]) {
  const node = el("li", { "data-testid": "guest", "data-peer-id": peer },
    el("strong", {}, quote(peer)), el("p.meta", { title: t("fingerprint") }, fingerprint));
  return { node, update() {} };
}
