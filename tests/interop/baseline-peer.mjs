// A whole baseline peer: signaling, one link to every other participant, and one session.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesToHex } from './frost.mjs';
import { isLinkSignal, PeerLink } from './link.mjs';
import { Session, SessionAborted } from './session.mjs';
import { SignalingClient } from './signaling.mjs';
import { faultOfProposal, isObject, MAX_CANDIDATES, MAX_MESSAGE_BYTES, parseMessage, shown } from './wire.mjs';

const POLL_MS = 300;
const MAX_EARLY_PEERS = 64;
const MAX_EARLY_BYTES = 4 * MAX_MESSAGE_BYTES; // kept for one peer before there is a session

const dieNow = () => process.kill(process.pid, 'SIGKILL');

/** How a peer ended, apart from done: `status` is `aborted`, `timed_out` or `server_lost`. */
class Ended extends Error {
  constructor(status, details) {
    super(status);
    this.outcome = { status, ...details };
  }
}

/**
 * Options:
 * - `server`: URL of the signaling server; `peerId`: our id there
 * - `create`: `{ participants, threshold }` to propose a session; without it, the first good proposal is joined
 * - `sessionId`: the id to propose, or the only one to join
 * - `timeoutMs`: for everything, from start to end
 * - `tamper(type, payload, toPeer, { identifier, total, threshold })`: changes outgoing peer messages, see tamper.mjs
 * - `dieBefore`, `dieAfter`: a message type at whose sending `die()` is called (default: this process kills itself)
 * - `askAcks`: put a `msg_id` in every message over a data channel
 * - `onEvent(event)`: called with each event object
 *
 * `run()` resolves with `{ status: 'done' | 'aborted' | 'timed_out' | 'server_lost', ... }`. After `done`, `key` is our
 * share of the key. It is secret; no event holds it.
 */
export class BaselinePeer {
  constructor(options) {
    const { server, peerId, create, sessionId, timeoutMs = 60_000, tamper, dieBefore, dieAfter, askAcks = false } = options;
    Object.assign(this, { peerId, create, timeoutMs, tamper, dieBefore, dieAfter, askAcks });
    this.die = options.die ?? dieNow;
    this.onEvent = options.onEvent ?? (() => {});
    this.sessionId = sessionId ?? (create ? randomBytes(16).toString('hex') : undefined);
    this.signaling = new SignalingClient(server, peerId);
    this.session = null;
    this.proposal = null; // { from, payload, text }
    this.links = new Map();
    this.early = new Map(); // peer id -> { signals, bytes }, until there is a session
    this.sent = new Map(); // msg_id -> type
    this.nextMessageId = 1;
    this.ignored = 0;
    this.ended = new Promise((_, reject) => (this.end = (...args) => reject(new Ended(...args))));
    this.ended.catch(() => {});
    this.joined = new Promise((resolve) => (this.resolveJoined = resolve));
  }

  async run() {
    const timer = setTimeout(() => this.timeOut(), this.timeoutMs);
    try {
      return await Promise.race([this.work(), this.ended]);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      const { status, ...details } = error.outcome;
      this.emit(status, details);
      return error.outcome;
    } finally {
      clearTimeout(timer);
      this.stopped = true;
      await Promise.all([...this.links.values()].map((link) => link.close().catch(() => {})));
      await this.signaling.close();
    }
  }

  emit(event, details = {}) {
    const set = Object.entries(details).filter(([, value]) => value !== undefined);
    this.onEvent({ event, ...Object.fromEntries(set) });
  }

  timeOut() {
    this.end('timed_out', {
      session_id: this.session?.sessionId,
      step: this.session?.step ?? 'waiting for a session',
      missing: this.session?.missing(),
    });
  }

  async work() {
    await this.register();
    if (this.create) await this.propose();
    else await this.joined;
    const { session } = this;
    try {
      this.key = await session.run();
    } catch (error) {
      if (!(error instanceof SessionAborted)) throw error;
      throw new Ended('aborted', { reason: shown(error.message), peer_id: error.peerId, session_id: session.sessionId });
    }
    const { sessionId: session_id, groupKey: pubkey, threshold, total, participants, identifier } = session;
    const details = { pubkey, session_id, threshold, total, participants, identifier };
    this.emit('wallet_created', details);
    await Promise.all([...this.links.values()].map((link) => link.flush()));
    return { status: 'done', ...details };
  }

  // --- Signaling -----------------------------------------------------------------------------------------------------

  async register() {
    const { signaling } = this;
    signaling.on('relay', (from, data) => this.takeRelay(from, data));
    signaling.on('close', () => this.serverClosed());
    try {
      await signaling.register();
    } catch (error) {
      if (error.refused) throw new Ended('aborted', { reason: `registration refused: ${error.message}` });
      throw new Ended('server_lost', { reason: shown(error.message || error.code) });
    }
    signaling.on('refused', (text) => this.emit('server_error', { error: text }));
    this.emit('registered', { peer_id: this.peerId });
  }

  /** Once all channels are open the server has nothing left to do. */
  serverClosed() {
    if (this.session && this.session.step !== 'connecting') return this.emit('server_closed');
    this.end('server_lost', { reason: 'connection closed' });
  }

  takeRelay(from, data) {
    if (this.stopped) return;
    if (data.type === 'session_proposal') this.takeProposal(from, data.payload);
    else if (data.type === 'session_response') this.takeResponse(from, data.payload);
    else if (!isLinkSignal(data)) this.ignored += 1;
    else if (this.links.has(from)) this.links.get(from).receive(data);
    else if (!this.session) this.keepEarly(from, data);
    else this.ignored += 1;
  }

  keepEarly(from, data) {
    if (!this.early.has(from) && this.early.size >= MAX_EARLY_PEERS) return;
    const kept = this.early.get(from) ?? { signals: [], bytes: 0 };
    const bytes = JSON.stringify(data).length;
    if (kept.signals.length > MAX_CANDIDATES + 2 || kept.bytes + bytes > MAX_EARLY_BYTES) return;
    kept.signals.push(data);
    kept.bytes += bytes;
    this.early.set(from, kept);
  }

  // --- Beginning a session -------------------------------------------------------------------------------------------

  async propose() {
    const { participants, threshold } = this.create;
    const payload = { session_id: this.sessionId, total: participants.length, threshold, participants };
    const fault = faultOfProposal(payload, { selfId: this.peerId, from: this.peerId });
    if (fault) throw new Ended('aborted', { reason: `bad proposal: ${fault}` });
    const others = participants.filter((id) => id !== this.peerId);
    await this.waitOnline(others);
    this.open(this.peerId, payload);
    for (const id of this.session.others) this.sendRelayed(id, 'session_proposal', payload);
    this.emit('proposed', payload);
    this.connectAll();
  }

  async waitOnline(others) {
    while (!this.stopped) {
      const online = new Set(await this.signaling.listPeers().catch(() => []));
      if (others.every((id) => online.has(id))) return;
      await sleep(POLL_MS);
    }
  }

  takeProposal(from, payload) {
    const fault = faultOfProposal(payload, { selfId: this.peerId, from });
    const text = JSON.stringify(payload);
    if (this.proposal?.from === from && this.proposal.text === text) return; // an exact repeat
    let reason = fault;
    if (!reason && (this.session || this.create)) reason = 'busy with another session';
    if (!reason && this.sessionId !== undefined && payload.session_id !== this.sessionId) reason = 'not the expected session';
    if (reason) {
      const session_id = isObject(payload) ? payload.session_id : undefined;
      this.emit('declined', { peer_id: from, reason });
      this.sendRelayed(from, 'session_response', { session_id, accepted: false, reason });
      return;
    }
    this.open(from, payload);
    this.emit('accepted', { peer_id: this.peerId, from, session_id: payload.session_id });
    this.sendRelayed(from, 'session_response', { session_id: payload.session_id, accepted: true });
    this.connectAll();
    this.resolveJoined();
  }

  takeResponse(from, payload) {
    const ours = this.session && isObject(payload) && this.session.others.includes(from);
    if (!ours || (payload.session_id ?? this.session.sessionId) !== this.session.sessionId) {
      this.ignored += 1;
    } else if (payload.accepted === true) {
      this.emit('accepted', { peer_id: from, session_id: this.session.sessionId });
    } else {
      this.session.fail('declined', from, shown(payload.reason ?? 'no reason given'));
    }
  }

  open(from, payload) {
    this.proposal = { from, payload, text: JSON.stringify(payload) };
    const send = (peer, type, content) => this.sendOverChannel(peer, type, content);
    this.session = new Session({ selfId: this.peerId, proposal: payload, send });
    this.session.on('progress', ({ event, ...details }) => this.emit(event, details));
    this.session.on('acked', (peer, id) => {
      const type = this.sent.get(id);
      if (type) this.emit('acked', { peer_id: peer, type, msg_id: id });
    });
  }

  connectAll() {
    for (const peer of this.session.others) {
      const link = new PeerLink({ selfId: this.peerId, peerId: peer, signal: (data) => this.signaling.relay(peer, data) });
      this.links.set(peer, link);
      link.on('open', () => this.session.channelOpen(peer));
      link.on('close', () => this.session.channelClosed(peer));
      link.on('message', (text) => this.takeMessage(peer, text));
      link.on('ignored', () => (this.ignored += 1));
      link.start().catch(() => this.session.fail('connection_failed', peer));
      for (const data of this.early.get(peer)?.signals ?? []) link.receive(data);
    }
    this.early.clear();
  }

  // --- Peer messages ---------------------------------------------------------------------------------------------------

  takeMessage(peer, text) {
    const message = parseMessage(text);
    if (message?.type === 'session_response') this.takeResponse(peer, message.payload);
    else if (message?.type === 'session_proposal') this.takeProposal(peer, message.payload);
    else if (!message || !this.session.receive(peer, message)) this.ignored += 1;
  }

  async sendRelayed(peer, type, payload) {
    await this.deliver(peer, type, payload, (content) => this.signaling.relay(peer, { type, payload: content }));
    if (type === this.dieAfter && (type !== 'session_proposal' || peer === this.session.others.at(-1))) {
      await this.signaling.close();
      this.vanish();
    }
  }

  async sendOverChannel(peer, type, payload) {
    await this.deliver(peer, type, payload, (content) => {
      const message = { type, payload: this.withMessageId(type, content) };
      this.links.get(peer).send(JSON.stringify(message));
    });
    if (type === this.dieAfter && (type === 'channel_open' || peer === this.session.others.at(-1))) {
      await Promise.all([...this.links.values()].map((link) => link.flush()));
      this.vanish();
    }
  }

  vanish() {
    this.stopped = true; // nothing more is sent, even if `die` returns
    this.die();
  }

  /** Every peer message leaves through here, where the hooks for bad behaviour are. */
  async deliver(peer, type, payload, write) {
    if (type === this.dieBefore && !this.stopped) this.vanish();
    let payloads = payload;
    if (this.tamper) payloads = await this.tamper(type, payload, peer, this.session ?? {});
    for (const each of [payloads].flat()) {
      if (each === null || each === undefined || this.stopped) continue;
      try {
        write(each);
      } catch (error) {
        this.session?.fail('send_failed', peer, shown(error.message));
      }
    }
  }

  withMessageId(type, payload) {
    if (!this.askAcks || type === 'ack') return payload;
    const msg_id = `${this.peerId}-${this.nextMessageId++}`;
    this.sent.set(msg_id, type);
    return { ...payload, msg_id };
  }
}

/** The key share of a finished peer as hex, for tests only. */
export const shareOf = (peer) => bytesToHex(peer.key.signingShare);
