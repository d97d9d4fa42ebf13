// The client side of the signaling server: register, list peers, relay.

import { EventEmitter } from 'node:events';
import WebSocket from 'ws';
import { isObject, isPeerId, MAX_MESSAGE_BYTES, parseMessage, shown } from './wire.mjs';

const CONNECT_MS = 10_000;
const CLOSE_MS = 1000;

/** Events: `relay` (from, data), `refused` (text of an error of the server), `close`. */
export class SignalingClient extends EventEmitter {
  constructor(url, peerId) {
    super();
    this.url = url;
    this.peerId = peerId;
    this.waiting = []; // those who asked for the list of peers, in order
    this.isOpen = false;
  }

  /**
   * Connects and registers. A baseline server does not answer a good `register`, but it takes messages in their order:
   * when the list of peers comes before any error, the registration stands.
   */
  async register() {
    const socket = new WebSocket(this.url, { maxPayload: 16 * MAX_MESSAGE_BYTES, handshakeTimeout: CONNECT_MS });
    this.socket = socket;
    socket.on('message', (bytes, isBinary) => !isBinary && this.receive(bytes.toString('utf8')));
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.on('error', reject);
      socket.once('close', () => reject(new Error('closed')));
    });
    this.isOpen = true;
    socket.on('close', () => this.closed());
    this.write({ type: 'register', peer_id: this.peerId });
    let refuse;
    const refused = new Promise((_, reject) => {
      refuse = (text) => reject(Object.assign(new Error(text), { refused: true }));
      this.once('refused', refuse);
    });
    try {
      return await Promise.race([this.listPeers(), refused]);
    } finally {
      this.off('refused', refuse);
    }
  }

  listPeers() {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(new Error('closed'));
      this.waiting.push({ resolve, reject });
      this.write({ type: 'list_peers' });
    });
  }

  relay(to, data) {
    this.write({ type: 'relay', to, data });
  }

  write(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
  }

  receive(text) {
    const message = parseMessage(text);
    if (message?.type === 'peers' && Array.isArray(message.peers)) {
      this.waiting.shift()?.resolve(message.peers.filter(isPeerId));
    } else if (message?.type === 'relay' && isPeerId(message.from) && isObject(message.data)) {
      this.emit('relay', message.from, message.data);
    } else if (message?.type === 'error') {
      this.emit('refused', shown(message.error));
    }
  }

  closed() {
    this.isOpen = false;
    for (const { reject } of this.waiting.splice(0)) reject(new Error('closed'));
    this.emit('close');
  }

  /** Leaves the server, after what was sent before. */
  async close() {
    this.removeAllListeners();
    this.isOpen = false;
    const { socket } = this;
    if (!socket || socket.readyState === WebSocket.CLOSED) return;
    await new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate(), CLOSE_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.close();
    });
  }
}
