// @ts-check
// The extension's UI, as popup, side panel or tab. It holds no keys: the node is in the offscreen document, at the
// other end of a Port. The service worker makes sure that the document exists.
/** @import { ClientState, Snapshot } from "./ui/types.js" */

import { mount } from "./ui/app.js";

/** Between two tries to reach the node's document, ms. */
const PAUSE = 200;

/** @type {ClientState} */
let state = "starting";
/** @type {Snapshot | null} */
let snapshot = null;
/** @type {(state: ClientState, snapshot: Snapshot | null) => void} */
let notify = () => {};
/** @type {PromiseWithResolvers<chrome.runtime.Port>} Commands wait for it. */
let reached = Promise.withResolvers();
let connected = false;
/** @type {Map<number, PromiseWithResolvers<unknown>>} */
const calls = new Map();
let lastCall = 0;

async function reach() {
  await chrome.runtime.sendMessage({ type: "ensure" }).catch(() => {});
  const port = chrome.runtime.connect({ name: "ui" });
  port.onMessage.addListener(({ id, error, result, ...view }) => {
    if (error) calls.get(id)?.reject(error);
    else calls.get(id)?.resolve(result);
    calls.delete(id);
    if (id) return;
    connected = true;
    reached.resolve(port);
    // The last snapshot stays on the screen until a new node has one.
    if (view.snapshot || !snapshot) ({ state, snapshot } = view);
    notify(state, snapshot);
  });
  port.onDisconnect.addListener(() => {
    void chrome.runtime.lastError; // Chrome reports it as uncaught unless it is read
    for (const call of calls.values()) call.reject({ code: "node_gone" });
    calls.clear();
    if (connected) reached = Promise.withResolvers();
    connected = false;
    if (snapshot) notify((state = "lost"), snapshot);
    setTimeout(reach, PAUSE);
  });
}
reach();

const isPopup = chrome.extension.getViews({ type: "popup" }).includes(window);
const here = chrome.windows.getCurrent();
const openTab = () => chrome.tabs.create({ url: "popup.html" });
const openPanel = async () => chrome.sidePanel.open({ windowId: (await here).id });

mount({
  client: {
    async command(command) {
      const port = await reached.promise;
      const call = Promise.withResolvers();
      calls.set((lastCall += 1), call);
      port.postMessage({ id: lastCall, command });
      return call.promise;
    },
    subscribe: (listener) => (notify = listener)(state, snapshot),
    restart: () => chrome.runtime.sendMessage({ type: "rebuild" }),
  },
  drafts: {
    load: async () => (await chrome.storage.session.get("drafts")).drafts ?? {},
    save: (drafts) => chrome.storage.session.set({ drafts }),
  },
  defaultServerUrl: "ws://127.0.0.1:9000",
  // A popup closes when it loses the focus. A tab or the side panel stays.
  tools: !isPopup ? [] : [
    { label: "open_tab", path: "M14 5h5v5M19 5l-8 8M11 6H5v13h13v-6", run: () => openTab().then(close) },
    { label: "open_panel", path: "M4 5h16v14H4zM14 5v14", run: () => openPanel().then(close) },
  ],
});
