// @ts-check
// The root of the UI: fills the shell, passes every snapshot to every view, and keeps the focus.
/** @import { ClientState, Context, SessionView, Surface, Tool, WalletView } from "./types.js" */

import { connectView } from "./connect.js";
import { el, icon, later, section, setText } from "./dom.js";
import { tick } from "./format.js";
import { t } from "./i18n.js";
import { setLists } from "./lists.js";
import { noticeView } from "./notice.js";
import { proposalCard, sessionCard } from "./session.js";
import { unlockView } from "./unlock.js";
import { walletCard } from "./wallet.js";

/** How long a command may take, in ms. The key derivation of unlocking takes a second or two. */
const COMMAND_DEADLINE = 30_000;

const LOCK = "M8 11V8a4 4 0 0 1 8 0v3M5.5 11h13v9h-13z";

/** @param {Surface} surface */
export async function mount({ client, drafts, defaultServerUrl, pageUrl = "", takeInvite = () => "", tools }) {
  const typed = await drafts.load();
  document.documentElement.lang = t("language");

  /** @type {Context} */
  const context = {
    command: (command) =>
      new Promise((resolve, reject) => {
        setTimeout(reject, COMMAND_DEADLINE, { code: "no_answer" });
        client.command(command).then(resolve, reject);
      }),
    restart: () => client.restart(),
    remember(name, input) {
      input.value = typed[name] ?? "";
      input.addEventListener("input", () => {
        typed[name] = input.value;
        drafts.save(typed);
      });
    },
    defaultServerUrl,
    pageUrl,
    takeInvite,
  };

  /** @type {{ state: ClientState, since: number, fatal: string | null }} */
  const status = { state: "starting", since: Date.now(), fatal: null };

  const [connection, main] = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("header p, main"));
  /** @type {(tool: Tool) => HTMLElement} */
  const button = ({ label, path, run }) =>
    el("button.icon", { "aria-label": t(label), title: t(label), onclick: run }, icon(path));
  // If the node refuses to lock, the UI shows that it is unlocked.
  const lock = button({ label: "lock", path: LOCK, run: () => context.command({ type: "lock" }).catch(() => {}) });
  connection.after(...tools.map(button), lock);

  const notice = noticeView(context);
  const unlock = unlockView(context);
  const connect = connectView(context);
  const idOf = (/** @type {SessionView} */ session) => session.session_id;
  const proposals = section(t("proposals"), idOf, (session) => proposalCard(context, session));
  const sessions = section(t("sessions"), idOf, (session) => sessionCard(context, session));
  const keyOf = (/** @type {WalletView} */ wallet) => `${wallet.pubkey} ${wallet.session_id}`;
  const wallets = section(t("wallets"), keyOf, walletCard);
  const caution = el("p.problem", {}, t("wallets_unconfirmed_hint"));
  const unconfirmed = section(t("wallets_unconfirmed"), keyOf, walletCard, caution);
  // The first paint does not need them.
  const more = later(async () => (await import("./more.js")).moreView(context));
  const requests = later(async () => (await import("./requests.js")).requestsView(context));
  const people = later(async () => (await import("./people.js")).peopleView(context));
  const empty = el("p.empty", {}, t("wallets_empty"));
  const damage = el("p.problem", { role: "alert" });
  const parts = [connect, proposals, requests, sessions, more, wallets, unconfirmed].map((part) => part.node);
  const inside = el("div.stack", {}, ...parts, damage, empty, people.node);
  main.append(notice.node, unlock.node, inside);

  client.subscribe((state, snapshot) => {
    if (state !== status.state) status.since = Date.now();
    status.state = state;
    status.fatal = snapshot?.fatal ?? null;
    if (snapshot) setLists(snapshot);
    const usable = status.fatal === null && state !== "elsewhere" ? snapshot : null;
    const open = usable?.keystore === "unlocked" ? usable : null;
    const online = (state === "ready" && open?.connection.state) || "offline";
    const focused = document.activeElement;

    connection.dataset.state = online;
    setText(connection, t(`connection_${online}`));
    lock.hidden = inside.hidden = !open;
    unlock.node.hidden = !usable || !!open;
    notice.update(status);
    if (open) connect.update(open);
    else if (usable) unlock.update(usable);
    // Nothing of a locked node stays in the document, not even hidden.
    more.update(open);
    requests.update(open?.groups.length ? open : null);
    people.update(open);
    const { sessions: all, wallets: keys } = open ?? { sessions: [], wallets: [] };
    proposals.update(all.filter((session) => session.needs_decision));
    sessions.update(all.filter((session) => !session.needs_decision));
    wallets.update(keys.filter((wallet) => wallet.status === "active"));
    unconfirmed.update(keys.filter((wallet) => wallet.status !== "active"));
    setText(damage, open?.problems.join(" "));
    damage.hidden = !damage.textContent;
    empty.hidden = online !== "online" || !!all.length || !!keys.length;
    // The focused element may be gone: a proposal disappears once it is joined.
    if (focused !== document.body && !focused?.checkVisibility()) main.focus();
  });

  setInterval(() => {
    tick();
    notice.update(status);
  }, 1000);
}
