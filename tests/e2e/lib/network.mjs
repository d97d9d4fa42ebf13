// A network that a test holds in its hand. Signaling goes through it, and it puts addresses of its own into every
// candidate, so that every datagram between nodes goes through it, too. It delays both alike, and lets UDP through or not.

/** @import { Socket, RemoteInfo } from "node:dgram" */
/** @import { Relayed, Server } from "./types.js" */

import { createSocket } from "node:dgram";

import { EvilServer } from "./evil.mjs";

export class Network {
  /** Datagrams so far. */
  passed = 0;
  blocked = 0;
  name = "network";
  /** @type {Map<string, Promise<number>>} */
  #doors = new Map();
  /** @type {Set<Socket>} */
  #sockets = new Set();
  /** @type {EvilServer | null} The signaling server that its messages go through. `start` sets it. */
  #signaling = null;

  /** @param {{ delay: number, udp: boolean, plain: boolean }} how */
  constructor({ delay, udp, plain }) {
    this.delay = delay;
    this.udp = udp;
    this.plain = plain;
  }

  /** What went over the server's relay. */
  get relayed() {
    return this.#signaling?.seen ?? [];
  }

  get url() {
    return this.#signaling?.url ?? "";
  }

  /**
   * @param {Server} server the real one
   * @param {{ delay?: number, udp?: boolean, plain?: boolean }} [how] `delay` in ms, one way; `udp`: whether datagrams get
   *   through, those that do not vanish, as behind a firewall; `plain` hides from all that others speak the extensions
   */
  static async start(server, { delay = 0, udp = true, plain = false } = {}) {
    const network = new Network({ delay, udp, plain });
    // Half the way to the server, half the way from it.
    network.#signaling = await EvilServer.start(server, (relayed) => network.#tamper(relayed), delay / 2);
    return network;
  }

  /** @param {Relayed} relayed */
  async #tamper({ to, data }) {
    if (this.plain) delete data.payload?.protocol;
    if (data.type === "ice-candidate") {
      const candidate = await this.#through(data.candidate);
      return candidate === null ? [] : [{ to, data: { ...data, candidate } }];
    }
    if (!data.sdp) return [{ to, data }];
    const lines = data.sdp.split("\r\n").map(async (/** @type {string} */ line) => {
      if (!line.startsWith("a=candidate:")) return line;
      const candidate = await this.#through(line.slice(2));
      return candidate && `a=${candidate}`;
    });
    const sdp = (await Promise.all(lines)).filter((line) => line !== null).join("\r\n");
    return [{ to, data: { ...data, sdp } }];
  }

  /**
   * A candidate with an address of ours; null for one that leads past us, or nowhere.
   * @param {string} candidate
   */
  async #through(candidate) {
    const words = candidate.split(" ");
    const [host, port] = words.slice(4, 6);
    if (!host) return candidate; // the end of candidates
    // A name is looked up among neighbours, which would lead past us. Whoever hides behind one reaches the other itself.
    if (host.endsWith(".local") || host.includes(":") || words[2].toLowerCase() !== "udp") return null;
    const key = `${host} ${port}`;
    if (!this.#doors.has(key)) this.#doors.set(key, this.#door(host, Number(port)));
    words[5] = String(await this.#doors.get(key));
    return words.join(" ");
  }

  /**
   * A port that stands for a node's address: what is sent to it arrives there, from a port of its own.
   * @param {string} host
   * @param {number} port
   */
  async #door(host, port) {
    /** @type {Map<string, Promise<Socket>>} */
    const visitors = new Map();
    const door = await this.#socket(host, async (datagram, from) => {
      const key = `${from.address} ${from.port}`;
      const visitor =
        visitors.get(key) ?? this.#socket(host, (back) => this.#pass(door, back, from.port, from.address));
      visitors.set(key, visitor);
      this.#pass(await visitor, datagram, port, host);
    });
    return door.address().port;
  }

  /** @param {Socket} socket @param {Buffer} datagram @param {number} port @param {string} host */
  #pass(socket, datagram, port, host) {
    if (!this.udp) {
      this.blocked += 1;
      return;
    }
    this.passed += 1;
    const send = () => this.#sockets.has(socket) && socket.send(datagram, port, host);
    if (this.delay) setTimeout(send, this.delay);
    else send();
  }

  /**
   * @param {string} host
   * @param {(datagram: Buffer, from: RemoteInfo) => void} heard
   * @returns {Promise<Socket>}
   */
  #socket(host, heard) {
    const socket = createSocket("udp4");
    socket.on("message", heard);
    socket.on("error", () => {}); // whom it leads to may be gone
    this.#sockets.add(socket);
    return new Promise((resolve) => socket.bind(0, host, () => resolve(socket)));
  }

  async report() {
    return `the network let ${this.passed} datagrams pass and lost ${this.blocked}`;
  }

  async close() {
    for (const socket of this.#sockets) socket.close();
    this.#sockets.clear();
    await this.#signaling?.close();
  }
}
