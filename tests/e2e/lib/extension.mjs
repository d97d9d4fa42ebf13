// The extension in a browser of its own: its popups, its service worker, and the document that runs its node.

/** @import { BrowserContext, Page } from "playwright-core" */
/** @import { Stage } from "./stage.mjs" */
/** @import { Server } from "./types.js" */

import { Attached, targetsOf } from "./attached.mjs";
import { startWithExtension } from "./chromium.mjs";
import { Screen } from "./screen.mjs";
import { PATIENCE } from "./settings.mjs";
import { ToolbarPopup } from "./toolbar.mjs";
import { eventually, within } from "./wait.mjs";

export class Extension {
  /** The browser has ended. */
  gone = false;

  /**
   * @param {string} name
   * @param {Awaited<ReturnType<typeof startWithExtension>>} browser
   * @param {string} id the extension's
   */
  constructor(name, browser, id) {
    this.name = name;
    this.browser = browser;
    /** @type {BrowserContext} */
    this.context = browser.context;
    this.id = id;
  }

  static async start(name = "extension") {
    const browser = await startWithExtension();
    const { context } = browser;
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker"));
    const extension = new Extension(name, browser, new URL(worker.url()).host);
    context.once("close", () => (extension.gone = true));
    return extension;
  }

  /** The popup's page in a tab, where Playwright can use it. */
  async popup() {
    const page = await this.context.newPage();
    const screen = new Screen(page, `popup of ${this.name}`);
    await page.goto(`chrome-extension://${this.id}/popup.html`);
    return screen;
  }

  /** The popup of the toolbar button itself. */
  async toolbarPopup() {
    return ToolbarPopup.open(this);
  }

  /**
   * Runs a function in the service worker, which is started when it sleeps.
   * @template R, [A = undefined]
   * @param {(argument: A) => R | Promise<R>} work
   * @param {A} [argument]
   * @returns {Promise<R>}
   */
  async inWorker(work, argument) {
    const started = this.context.serviceWorkers()[0] ?? this.wake();
    return within(PATIENCE, "the service worker", (await started).evaluate(/** @type {any} */ (work), argument));
  }

  /** Any page of the extension that sends a message wakes the worker. */
  async wake() {
    const page = await this.context.newPage();
    const [worker] = await Promise.all([
      this.context.waitForEvent("serviceworker"),
      page.goto(`chrome-extension://${this.id}/popup.html`),
    ]);
    await page.close();
    return worker;
  }

  /** The document that runs the node. */
  async nodeDocument() {
    return Attached.to(this, "the node's document", ({ url }) => url.endsWith("/offscreen.html"));
  }

  /** Ends the document of the node, as Chrome might. */
  async endNode() {
    await this.inWorker(() => chrome.offscreen.closeDocument());
  }

  /** How many documents run a node. */
  countNodes() {
    return this.inWorker(async () => {
      const found = await chrome.runtime.getContexts({ contextTypes: ["OFFSCREEN_DOCUMENT"] });
      return found.length;
    });
  }

  /**
   * Stops the service worker, as Chrome does after half a minute of idleness.
   * @param {Page} page
   */
  async stopWorker(page) {
    const session = await this.context.newCDPSession(page);
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    await eventually(10, "the service worker to stop", async () => {
      return !(await targetsOf(session)).some(({ type }) => type === "service_worker");
    });
    await session.detach();
  }

  /** Changes one byte in the middle of every stored wallet, as a failing disk might. */
  damageWallets() {
    return this.inWorker(async () => {
      const done = (/** @type {IDBRequest} */ request) =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await done(indexedDB.open("frostmesh"));
      const wallets = database.transaction("wallets", "readwrite").objectStore("wallets");
      const keys = await done(wallets.getAllKeys());
      for (const key of keys) {
        const envelope = await done(wallets.get(key));
        envelope[envelope.length >> 1] ^= 1;
        await done(wallets.put(envelope, key));
      }
      database.close();
      return keys.length;
    });
  }

  /** As if it had just been installed: no keystore, no settings, no popup, and a node that knows nothing. */
  async reset() {
    for (const page of this.context.pages().slice(1)) await page.close();
    await this.inWorker(async () => {
      const found = await chrome.runtime.getContexts({ contextTypes: ["OFFSCREEN_DOCUMENT"] });
      if (found.length) await chrome.offscreen.closeDocument();
      await chrome.storage.session.clear();
      await new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase("frostmesh");
        request.onsuccess = resolve;
        request.onerror = () => reject(request.error);
      });
    });
  }

  /**
   * For the report of a failure: what a fresh popup shows, in case the test had closed its own.
   * @param {Stage} stage
   */
  async report(stage) {
    const screen = await this.popup();
    await screen.page.waitForTimeout(1000);
    const report = await screen.report(stage);
    await screen.close();
    return report;
  }

  async close() {
    await this.browser.close();
  }
}

/** One extension for all tests of a file, which are then fast; each begins with it freshly installed. */
export function shared() {
  /** @type {Promise<Extension> | null} */
  let starting = null;
  return {
    /**
     * Takes it into a test.
     * @param {Stage} stage
     */
    async fresh(stage, name = "browser") {
      // One that broke fails its own test only.
      if (await starting?.then(({ gone }) => gone, () => true)) starting = null;
      starting ??= Extension.start();
      const extension = await starting;
      await extension.reset();
      extension.name = name;
      stage.add({ name, report: (s) => extension.report(s), close: () => extension.reset() });
      return extension;
    },
    async close() {
      const extension = await starting?.catch(() => null);
      if (extension) await extension.close();
    },
  };
}

/**
 * A popup with a password set, connected to the server.
 * @param {Extension} extension
 * @param {Server} server
 * @param {string} peerId
 */
export async function online(extension, server, peerId) {
  const popup = await extension.popup();
  await popup.setPassword();
  await popup.connect(server, peerId);
  return popup;
}
