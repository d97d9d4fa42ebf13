// An evil signaling server: a proxy before the real one, which does what it likes with everything that passes.

/** @import { AddressInfo } from "node:net" */
/** @import { Relayed, Server } from "./types.js" */

import { WebSocket, WebSocketServer } from "ws";

export class EvilServer {
  /** Everything that was relayed, as the server saw it. */
  /** @type {string[]} */
  seen = [];
  name = "evil server";
  url = "";
  /** How long everything takes, in milliseconds. */
  delay = 0;
  #proxy = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  /** @type {Map<string, WebSocket>} */
  #nodes = new Map();

  /**
   * @param {Server} server the honest one behind it
   * @param {(relayed: Relayed) => any} tamper what becomes of what a node relays, as a list of
   *   `{ to, data }` or a promise of one; `from` is what the honest server will stamp on it
   * @param {number} [delay] how long everything takes to come here, and again to go from here, in milliseconds
   */
  static async start(server, tamper, delay = 0) {
    const evil = new EvilServer();
    evil.delay = delay;
    await new Promise((resolve) => evil.#proxy.once("listening", () => resolve(null)));
    evil.url = `ws://127.0.0.1:${/** @type {AddressInfo} */ (evil.#proxy.address()).port}`;
    evil.#proxy.on("connection", (node) => evil.#serve(node, server.url, tamper));
    return evil;
  }

  /** @param {WebSocket} node @param {string} url @param {(relayed: Relayed) => any} tamper */
  #serve(node, url, tamper) {
    const honest = new WebSocket(url);
    const open = new Promise((resolve) => honest.once("open", resolve));
    let from = "";
    const heard = async (/** @type {string} */ text) => {
      const message = JSON.parse(text);
      if (message.type === "register") this.#nodes.set((from = message.peer_id), node);
      if (message.type !== "relay") return honest.send(text);
      this.seen.push(JSON.stringify(message.data));
      for (const made of await tamper({ from, to: message.to, data: message.data })) {
        honest.send(JSON.stringify({ type: "relay", ...made }));
      }
    };
    // One after the other, however long each takes.
    /** @type {Promise<unknown>} */
    let before = open;
    node.on("message", (text) => this.#later(() => (before = before.then(() => heard(String(text))))));
    honest.on("message", (text) => this.#later(() => node.send(String(text))));
    honest.on("close", () => this.#later(() => node.close()));
    honest.on("error", () => node.close());
    node.on("close", () => honest.close());
  }

  /**
   * Sends a message to a node in the name of another.
   * @param {string} to
   * @param {string} from
   * @param {unknown} data
   */
  say(to, from, data) {
    this.#nodes.get(to)?.send(JSON.stringify({ type: "relay", from, data }));
  }

  /** @param {() => unknown} work */
  #later(work) {
    if (this.delay) setTimeout(work, this.delay);
    else work();
  }

  async report() {
    return `the evil server relayed ${this.seen.length} messages`;
  }

  async close() {
    for (const client of this.#proxy.clients) client.terminate();
    await new Promise((resolve) => this.#proxy.close(resolve));
  }
}
