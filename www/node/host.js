// @ts-check
// Owns the wasm node of this document: loads it, passes commands and snapshots, and detects when it has crashed.
// Decides nothing about the protocol.

/** @typedef {import("../ui/types.js").Snapshot} Snapshot */
/** @typedef {import("../ui/types.js").ClientState} ClientState */

/** The lock that lets one document of a browser profile run the node: two nodes would write to one keystore. */
const ONE_NODE = "frostmesh-node";

/** A document that is being closed holds the lock for a moment. After this time another tab has it. In ms. */
const CLOSING = 1_000;

export class Host {
  /** Another tab runs the node. It starts here once that tab is closed. */
  elsewhere = false;

  /** Ends the node of the other tab, and starts it here. */
  takeOver = () => {};

  /** @type {Snapshot | null} */
  #snapshot = null;

  /** @type {Set<(state: ClientState, snapshot: Snapshot | null) => void>} */
  #listeners = new Set();

  /** @type {Promise<import("../pkg/frostmesh.js").Frostmesh>} */
  #node;

  constructor() {
    this.#node = this.#start();
    this.#node.catch((error) => this.#crashed(error));
    // A panic in a callback of the browser, outside of a command, becomes an uncaught error of the document.
    addEventListener("error", ({ error }) => error instanceof WebAssembly.RuntimeError && this.#crashed(error));
    addEventListener("unhandledrejection", ({ reason }) => {
      if (reason instanceof WebAssembly.RuntimeError) this.#crashed(reason);
    });
  }

  /**
   * @param {import("../ui/types.js").UiCommand} command
   * @returns {Promise<unknown>} rejects with a CommandError
   */
  async command(command) {
    try {
      const node = await this.#node;
      if (this.#snapshot && this.#snapshot.fatal !== null) throw { code: "internal", message: this.#snapshot.fatal };
      return await node.command(command);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) this.#crashed(error);
      throw error;
    }
  }

  /** @param {(state: ClientState, snapshot: Snapshot | null) => void} listener called at once, and with every change */
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.#state(), this.#snapshot);
    return () => this.#listeners.delete(listener);
  }

  async #start() {
    await this.#alone();
    const { default: init, Frostmesh } = await import("../pkg/frostmesh.js");
    await init();
    return Frostmesh.open((snapshot) => this.#publish(snapshot));
  }

  /** Resolves once this document is the one that may run the node. Browsers offer locks to secure origins only. */
  #alone() {
    return new Promise((resolve) => {
      if (!navigator.locks) return resolve(null);
      const timer = setTimeout(() => this.#setElsewhere(true), CLOSING);
      const hold = () => {
        clearTimeout(timer);
        this.#setElsewhere(false);
        resolve(null);
        return new Promise(() => {}); // until the document is gone
      };
      // The request fails once another tab takes over: nothing of this node may go on.
      const ask = (/** @type {LockOptions} */ options) =>
        navigator.locks.request(ONE_NODE, options, hold).catch(() => location.reload());
      this.takeOver = () => ask({ steal: true });
      ask({});
    });
  }

  #state() {
    return this.elsewhere ? "elsewhere" : this.#snapshot ? "ready" : "starting";
  }

  /** @param {boolean} elsewhere */
  #setElsewhere(elsewhere) {
    if (this.elsewhere === elsewhere) return;
    this.elsewhere = elsewhere;
    this.#notify();
  }

  /** @param {Snapshot} snapshot */
  #publish(snapshot) {
    const fatal = snapshot.fatal ?? this.#snapshot?.fatal ?? null;
    this.#snapshot = { ...snapshot, fatal };
    this.#notify();
  }

  /** @param {unknown} error */
  #crashed(error) {
    if (this.#snapshot && this.#snapshot.fatal !== null) return;
    const { message = String(error) } = /** @type {{ message?: string }} */ (error ?? {});
    this.#publish({
      version: 1,
      keystore: "locked",
      connection: { state: "offline", server_url: null, peer_id: null, error: null, since: Date.now() },
      peers_online: [],
      sessions: [],
      invites: [],
      identity: "",
      contacts: [],
      groups: [],
      suites: [],
      kinds: [],
      carriers: [],
      wallets: [],
      problems: [],
      ...this.#snapshot,
      fatal: message,
    });
  }

  #notify() {
    for (const listener of this.#listeners) listener(this.#state(), this.#snapshot);
  }
}
