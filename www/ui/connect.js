// @ts-check
// The connection to the signaling server: a form while offline, one line and a way out while connected.
/** @import { SnapshotView } from "./types.js" */

import { el, setText } from "./dom.js";
import { PLAIN, attempt, field, problemLine, setProblem } from "./form.js";
import { PEER_ID, names, quote, setTimer, timer } from "./format.js";
import { t } from "./i18n.js";

/**
 * Adds the scheme that a person left out, or corrects one that was copied from a browser's address bar.
 * @param {string} typed
 * @returns {string | null} null if it cannot be a server
 */
function serverUrl(typed) {
  const scheme = /^(localhost|127\.|\[::1\])/.test(typed) ? "ws" : "wss";
  const url = typed.includes("://") ? typed.replace(/^http/, "ws") : `${scheme}://${typed}`;
  return /^wss?:\/\/[^/\s]/.test(url) && URL.canParse(url) ? url : null;
}

/** @type {SnapshotView} */
export function connectView({ command, remember, defaultServerUrl }) {
  const url = el("input", { ...PLAIN, inputmode: "url", "data-testid": "server-url" });
  const peer = el("input", { ...PLAIN, maxlength: 64, "data-testid": "peer-id" });
  const problem = problemLine();
  const connect = el("button.primary", { "data-testid": "connect" }, t("connect"));
  const inputs = el("div.columns", {}, field(url, "server_url"), field(peer, "peer_id", "peer_id_hint"));
  const form = el("form", { novalidate: "" }, inputs, connect);
  const title = el("strong");
  const server = el("span");
  const since = timer("time_for");
  const leave = el("button.small");
  const others = el("p.meta");
  const line = el("div.row", {}, el("div", {}, title, el("p.meta.dots", {}, server, since), others), leave);
  const trouble = el("p.problem");
  let filled = false;

  remember("server_url", url);
  remember("peer_id", peer);

  leave.onclick = () => attempt(leave, problem, () => command({ type: "disconnect" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    const server_url = serverUrl(url.value.trim());
    const peer_id = peer.value.trim();
    if (!server_url) return setProblem(problem, t("error_bad_server_url"), url);
    if (!PEER_ID.test(peer_id)) return setProblem(problem, t("error_bad_peer_id"), peer);
    url.value = server_url;
    attempt(connect, problem, () => command({ type: "connect", server_url, peer_id }));
  };

  return {
    node: el("section.card", { "aria-label": t("connection_title") }, line, trouble, problem, form),
    update({ connection, peers_online }) {
      const { state, server_url, peer_id, error } = connection;
      const online = state === "online";
      if (!filled) {
        url.value ||= server_url ?? defaultServerUrl;
        peer.value ||= peer_id ?? "";
        filled = true;
      }
      form.hidden = online;
      line.hidden = state === "offline";
      setText(title, online ? quote(peer_id) : t("connecting_as", quote(peer_id)));
      setText(server, quote(server_url, 200));
      setTimer(since, connection.since);
      setText(leave, t(online ? "disconnect" : "stop"));
      others.hidden = !online || !peers_online.length;
      setText(others, t("others_online", names(peers_online)));
      trouble.hidden = online || !error;
      setText(trouble, t("connection_trouble", quote(error, 300)));
    },
  };
}
