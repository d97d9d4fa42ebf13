// A signaling server that is in the middle of every WebRTC connection, too: each node connects to it in place of the other.
// The connections are those of the independent peer in tests/interop, another WebRTC stack than any node's. That stack's SCTP
// stalls now and then with messages in its queue and none under way; `report` shows it.

/** @import { Relayed, Server } from "./types.js" */

import { EvilServer } from "./evil.mjs";
import { inProject } from "./settings.mjs";

const { PeerLink, isLinkSignal } = await import(inProject("tests/interop/link.mjs"));

export class Middle {
  name = "middle";
  /** Everything that came over its channels. */
  /** @type {string[]} */
  heard = [];
  /** @type {Map<string, any>} */
  #links = new Map();
  /** @type {(() => void)[]} */
  #flush = [];
  /** @type {EvilServer | null} The signaling server that its connections are set up over. `start` sets it. */
  #signaling = null;

  /** @param {(text: string) => string} change what becomes of a message on its way */
  constructor(change) {
    this.change = change;
  }

  /** @param {Server} server @param {(text: string) => string} [change] what becomes of a message on its way */
  static async start(server, change = (text) => text) {
    const middle = new Middle(change);
    middle.#signaling = await EvilServer.start(server, (relayed) => middle.#tamper(relayed));
    return middle;
  }

  get url() {
    return this.#signaling?.url ?? "";
  }

  /** What went over the relay, other than offers, answers and candidates. */
  get relayed() {
    return (this.#signaling?.seen ?? []).filter((text) => !isLinkSignal(JSON.parse(text)));
  }

  /** @param {Relayed} relayed */
  #tamper({ from, to, data }) {
    if (!isLinkSignal(data)) return [{ to, data }];
    this.#link(from, to).receive(data);
    return [];
  }

  /**
   * Our connection to `node`, for whom we are `as`.
   * @param {string} node
   * @param {string} as
   * @returns {any}
   */
  #link(node, as) {
    const key = `${node} ${as}`;
    if (!this.#links.has(key)) {
      const link = new PeerLink({ selfId: as, peerId: node, signal: (/** @type {unknown} */ data) => this.#signaling?.say(node, as, data) });
      this.#links.set(key, link);
      /** @type {string[]} */
      const early = [];
      link.on("message", (/** @type {string} */ text) => {
        this.heard.push(text);
        early.push(text);
        this.#forward(node, as, early);
      });
      link.on("open", () => this.#flush.forEach((flush) => flush()));
      this.#flush.push(() => this.#forward(node, as, early));
      link.start();
      this.#link(as, node);
    }
    return this.#links.get(key);
  }

  /**
   * Hands on what came from one side, once there is another.
   * @param {string} node
   * @param {string} as
   * @param {string[]} early
   */
  #forward(node, as, early) {
    const other = this.#link(as, node);
    while (early.length && other.send(this.change(early[0]))) early.shift();
  }

  async report() {
    const waiting = (/** @type {any} */ { pc }) => pc.sctpTransport?.sctp?.outboundQueue.length ?? 0;
    const links = [...this.#links].map(([key, link]) => `to ${key.replace(" ", " as ")}: ${link.isOpen ? "open" : "closed"}, ${waiting(link)} chunks wait`);
    return [`the middle heard ${this.heard.length} messages over its channels`, ...links].join("\n");
  }

  async close() {
    for (const link of this.#links.values()) await link.close();
    await this.#signaling?.close();
  }
}
