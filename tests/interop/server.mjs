#!/usr/bin/env node
// A minimal baseline signaling server: it knows peers, relays between them, and keeps nothing.
// `node server.mjs --listen 127.0.0.1:0` prints {"event":"listening","url":"ws://127.0.0.1:PORT/"}.

import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { isObject, isPeerId, MAX_MESSAGE_BYTES, parseMessage } from './wire.mjs';

const MAX_FRAME_BYTES = 64 * MAX_MESSAGE_BYTES; // above this the frame is not even read, and the socket closed
const MAX_PEERS = 1024;
const MAX_QUEUED_BYTES = 64 * MAX_MESSAGE_BYTES; // waiting to be read by one peer
const PING_MS = 20_000;

/** Starts a server. Returns its `url`, `peers()` and `close()`. */
export async function startServer({ host = '127.0.0.1', port = 0 } = {}) {
  const peers = new Map(); // peer id -> socket
  const server = new WebSocketServer({ host, port, maxPayload: MAX_FRAME_BYTES, clientTracking: true });
  await new Promise((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });

  const write = (socket, message) => socket.send(JSON.stringify(message));
  const refuse = (socket, error) => write(socket, { type: 'error', error });

  function register(socket, id) {
    if (!isPeerId(id)) return refuse(socket, 'bad peer id');
    if (socket.peerId === id) return; // a repeat
    if (socket.peerId !== undefined) return refuse(socket, 'already registered under another id');
    if (peers.has(id)) return refuse(socket, 'peer id is taken');
    socket.peerId = id;
    peers.set(id, socket);
  }

  function relay(socket, to, data) {
    if (socket.peerId === undefined) return refuse(socket, 'register first');
    if (!isObject(data)) return refuse(socket, 'relay without data');
    if (to === socket.peerId) return refuse(socket, 'relay to oneself');
    const target = isPeerId(to) ? peers.get(to) : undefined;
    if (!target) return refuse(socket, 'no such peer is online');
    if (target.bufferedAmount > MAX_QUEUED_BYTES) return refuse(socket, 'that peer does not keep up');
    write(target, { type: 'relay', from: socket.peerId, data });
  }

  function receive(socket, bytes, isBinary) {
    if (bytes.length > MAX_MESSAGE_BYTES) return refuse(socket, 'message too large');
    const message = isBinary ? null : parseMessage(bytes.toString('utf8'));
    if (!message) return refuse(socket, 'not a message');
    if (message.type === 'register') register(socket, message.peer_id);
    else if (message.type === 'list_peers') write(socket, { type: 'peers', peers: [...peers.keys()].sort() });
    else if (message.type === 'relay') relay(socket, message.to, message.data);
    // any other type is of no concern to a baseline server
  }

  server.on('connection', (socket) => {
    if (server.clients.size > MAX_PEERS) {
      refuse(socket, 'the server is full');
      return socket.close();
    }
    socket.isAlive = true;
    socket.on('pong', () => (socket.isAlive = true));
    socket.on('error', () => {}); // `close` follows
    socket.on('message', (bytes, isBinary) => receive(socket, bytes, isBinary));
    socket.on('close', () => {
      if (peers.get(socket.peerId) === socket) peers.delete(socket.peerId);
    });
  });

  const pinger = setInterval(() => {
    for (const socket of server.clients) {
      if (!socket.isAlive) socket.terminate();
      socket.isAlive = false;
      socket.ping();
    }
  }, PING_MS);

  const { address, family, port: bound } = server.address();
  return {
    url: `ws://${family === 'IPv6' ? `[${address}]` : address}:${bound}/`,
    peers: () => [...peers.keys()].sort(),
    close: () => {
      clearInterval(pinger);
      for (const socket of server.clients) socket.terminate();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function main() {
  const { values } = parseArgs({ options: { listen: { type: 'string', default: '127.0.0.1:0' } } });
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(values.listen) ?? [];
  if (!host || Number(port) > 65_535) {
    process.stderr.write('usage: server.mjs [--listen ADDRESS:PORT]\n');
    process.exit(2);
  }
  const { url } = await startServer({ host, port: Number(port) });
  process.stdout.write(`${JSON.stringify({ event: 'listening', url })}\n`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
