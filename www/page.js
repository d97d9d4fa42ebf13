// @ts-check
// The plain page: runs the node in this document, and shows the UI.

import { Host } from "./node/host.js";
import { mount } from "./ui/app.js";
import { setMessages } from "./ui/i18n.js";

const LANGUAGES = ["en"];
const DRAFTS = "drafts";

/** The invite in the address. It is secret: it is behind `#`, which no server receives, and is removed from the address. */
let invite = "";
function takeFromAddress() {
  if (!/[#&]secret=/.test(location.hash)) return false;
  invite = `frostmesh:${location.hash.slice(1)}`;
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}
takeFromAddress();

/** @type {() => void} Shows the last snapshot once more. */
let showLast = () => {};
addEventListener("hashchange", () => takeFromAddress() && showLast());

const host = new Host();
const wanted = navigator.languages.map((tag) => tag.split("-")[0]);
const language = wanted.find((name) => LANGUAGES.includes(name)) ?? LANGUAGES[0];
setMessages(await (await fetch(`_locales/${language}/messages.json`)).json());

await mount({
  client: {
    async command(command) {
      const result = await host.command(command);
      // Otherwise the browser may delete the keystore when its disk is full.
      if (command.type === "set_password") navigator.storage?.persist?.();
      // Wasm memory cannot be erased from outside: only a new document forgets what the node held.
      if (command.type === "lock") location.reload();
      return result;
    },
    subscribe(listener) {
      host.subscribe((state, snapshot) => (showLast = () => listener(state, snapshot))());
    },
    restart: () => (host.elsewhere ? host.takeOver() : location.reload()),
  },
  drafts: {
    load: async () => JSON.parse(sessionStorage.getItem(DRAFTS) ?? "{}"),
    save: (drafts) => sessionStorage.setItem(DRAFTS, JSON.stringify(drafts)),
  },
  defaultServerUrl: `${location.origin.replace(/^http/, "ws")}/`,
  pageUrl: location.origin + location.pathname,
  takeInvite() {
    const taken = invite;
    invite = "";
    return taken;
  },
  tools: [],
});
