// An evil signaling server: a proxy before the real one, which does what it likes with everything that passes.

import { WebSocket, WebSocketServer } from "ws";

export class EvilServer {
  /** Everything that was relayed, as the server saw it. */
  seen = [];

  /**
   * @param {{ url: string }} server the honest one behind it
   * @param {(relayed: { from: string, to: string, data: any }) => { to: string, data: any }[]} tamper what becomes of what
   *   a node relays; `from` is what the honest server will stamp on it
   */
  static async start(server, tamper) {
    const evil = new EvilServer();
    evil.name = "evil server";
    evil.proxy = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await new Promise((resolve) => evil.proxy.once("listening", resolve));
    evil.url = `ws://127.0.0.1:${evil.proxy.address().port}`;
    evil.proxy.on("connection", (node) => evil.#serve(node, server.url, tamper));
    return evil;
  }

  #serve(node, url, tamper) {
    const honest = new WebSocket(url);
    const waiting = [];
    let from = "";
    const pass = (text) => (honest.readyState === WebSocket.OPEN ? honest.send(text) : waiting.push(text));
    honest.on("open", () => waiting.forEach((text) => honest.send(text)));
    honest.on("message", (text) => node.send(String(text)));
    honest.on("close", () => node.close());
    honest.on("error", () => node.close());
    node.on("close", () => honest.close());
    node.on("message", (text) => {
      const message = JSON.parse(text);
      if (message.type === "register") from = message.peer_id;
      if (message.type !== "relay") return pass(String(text));
      this.seen.push(JSON.stringify(message.data));
      for (const made of tamper({ from, to: message.to, data: message.data })) {
        pass(JSON.stringify({ type: "relay", ...made }));
      }
    });
  }

  async report() {
    return `the evil server relayed ${this.seen.length} messages`;
  }

  async close() {
    for (const client of this.proxy.clients) client.terminate();
    await new Promise((resolve) => this.proxy.close(resolve));
  }
}
