// @ts-check
// The document that runs the node. It outlives the popup, and has no chrome.* API but chrome.runtime.
/** @import { CommandError } from "./ui/types.js" */

import { Host } from "./node/host.js";

const host = new Host();

chrome.runtime.onConnect.addListener((port) => {
  const { id, url } = port.sender ?? {};
  const ours = id === chrome.runtime.id && url?.startsWith(chrome.runtime.getURL("popup.html"));
  if (!ours || port.name !== "ui") return port.disconnect();

  let open = true;
  const post = (/** @type {unknown} */ message) => open && port.postMessage(message);
  const unsubscribe = host.subscribe((state, snapshot) => post({ state, snapshot }));
  port.onDisconnect.addListener(() => {
    open = false;
    unsubscribe();
  });

  port.onMessage.addListener(async ({ id: call, command }) => {
    try {
      post({ id: call, result: (await host.command(command)) ?? null });
      // Wasm memory cannot be erased from outside: only a new document forgets what the node held.
      if (command.type === "lock") chrome.runtime.sendMessage({ type: "rebuild" });
    } catch (error) {
      const { code = "internal", message = String(error) } = /** @type {Partial<CommandError>} */ (error ?? {});
      post({ id: call, error: { code, message } });
    }
  });
});

/** The last status that was sent to the service worker, as JSON. */
let sent = "";
host.subscribe((_, snapshot) => {
  if (!snapshot) return;
  const { fatal, keystore, connection, sessions, groups } = snapshot;
  const state = fatal !== null ? "fatal" : keystore === "unlocked" ? connection.state : "locked";
  const asking = [...sessions, ...groups.flatMap(({ requests }) => requests)];
  const waiting = state === "fatal" || state === "locked" ? 0 : asking.filter((each) => each.needs_decision || ("words" in each && each.words)).length;
  const status = JSON.stringify({ state, waiting });
  if (status === sent) return;
  sent = status;
  // If the worker does not start, the next change is sent again.
  chrome.runtime.sendMessage({ type: "status", state, waiting }).catch(() => (sent = ""));
});
