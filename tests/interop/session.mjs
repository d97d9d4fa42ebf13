// One key generation as a baseline peer sees it, apart from how messages travel: which message is sent when, what is
// kept for later, what ends the session and who is to blame.

import { EventEmitter } from 'node:events';
import { bytesToHex, checkRound1, checkRound2, FrostError, hexToBytes, part1, part2, part3 } from './frost.mjs';
import { byBytes, isHex, isMessageId, isObject, isPeerId } from './wire.mjs';

/** Why a session ended early. `peerId` is the peer that caused it, where that can be known. */
export class SessionAborted extends Error {
  constructor(reason, peerId, detail) {
    super(detail ? `${reason}: ${detail}` : reason);
    this.reason = reason;
    this.peerId = peerId;
  }
}

// What fills the slot of each message type: the fields that count when a repeat is compared.
const SLOTS = {
  channel_open: (payload) => isPeerId(payload.peer_id) && [payload.peer_id],
  mesh_ready: () => [],
  commitment: (payload) => isHex(payload.data) && [payload.data],
  ready: () => [],
  share: (payload) => isHex(payload.data) && [payload.data],
  wallet_created: (payload) => isHex(payload.pubkey) && [payload.pubkey],
};

/**
 * Options: `selfId`, `proposal` (the payload of the session proposal) and `send(peerId, type, payload)`, which returns
 * a promise. Call `channelOpen(peerId)`, `channelClosed(peerId)` and `receive(peerId, message)` as things happen.
 * Events: `progress` with a plain object, `acked` with a peer id and a message id.
 */
export class Session extends EventEmitter {
  constructor({ selfId, proposal, send, closeGraceMs = 2000 }) {
    super();
    this.selfId = selfId;
    this.sessionId = proposal.session_id;
    this.threshold = proposal.threshold;
    this.participants = [...proposal.participants].sort(byBytes);
    this.total = this.participants.length;
    this.others = this.participants.filter((id) => id !== selfId);
    this.identifier = this.identifierOf(selfId);
    this.step = 'connecting';
    this.ignored = 0; // messages that were no part of this session
    this.key = null;
    this.groupKey = null;
    this.finished = false; // done or aborted
    this.aborted = false;
    this.sendTo = send;
    this.closeGraceMs = closeGraceMs;
    this.slots = new Map();
    this.timers = new Set();
    this.failed = new Promise((_, reject) => (this.rejectFailed = reject));
    this.failed.catch(() => {});
  }

  identifierOf(peerId) {
    return this.participants.indexOf(peerId) + 1;
  }

  /** Runs the whole session. Resolves with the key, or throws SessionAborted. */
  async run() {
    try {
      return await Promise.race([this.steps(), this.failed]);
    } catch (error) {
      this.aborted = true;
      throw error;
    } finally {
      this.finished = true;
      for (const timer of this.timers) clearTimeout(timer);
    }
  }

  async steps() {
    const { sessionId: session_id, identifier, total, threshold } = this;
    await this.fromAll('channel');
    await this.toAll('mesh_ready', () => ({ session_id }));
    this.emit('progress', { event: 'mesh_ready', session_id });

    this.enter('waiting for mesh_ready');
    await this.fromAll('mesh_ready');
    const first = part1({ identifier, total, threshold });
    const data = bytesToHex(first.package);
    await this.toAll('commitment', () => ({ data }));
    this.emit('progress', { event: 'round', round: 1, session_id });

    this.enter('waiting for commitment');
    const round1 = new Map();
    await this.fromAll('commitment', (peer, payload) => {
      const bytes = hexToBytes(payload.data);
      this.blaming(() => checkRound1(this.identifierOf(peer), bytes, threshold));
      round1.set(this.identifierOf(peer), bytes);
    });
    const second = this.blaming(() => part2(first.secret, round1));
    await this.toAll('ready', () => ({ session_id }));

    this.enter('waiting for ready');
    await this.fromAll('ready');
    await this.toAll('share', (peer) => ({ data: bytesToHex(second.packages.get(this.identifierOf(peer))) }));
    this.emit('progress', { event: 'round', round: 2, session_id });

    this.enter('waiting for share');
    const round2 = new Map();
    await this.fromAll('share', (peer, payload) => {
      const id = this.identifierOf(peer);
      const bytes = hexToBytes(payload.data);
      this.blaming(() => checkRound2(id, identifier, second.secret.round1.get(id), bytes));
      round2.set(id, bytes);
    });
    const key = this.blaming(() => part3(second.secret, round2));
    this.groupKey = bytesToHex(key.groupKey);
    await this.toAll('wallet_created', () => ({ session_id, pubkey: this.groupKey }));
    this.emit('progress', { event: 'key_unconfirmed', pubkey: this.groupKey, session_id });

    this.enter('waiting for wallet_created');
    await this.fromAll('wallet_created', (peer, payload) => {
      if (payload.pubkey !== this.groupKey) throw new SessionAborted('pubkey_mismatch', peer);
    });
    this.enter('done');
    this.key = key;
    return key;
  }

  enter(step) {
    this.step = step;
  }

  /** Sends one message to every other participant, the same or one made for each. */
  async toAll(type, payloadFor) {
    for (const peer of this.others) {
      if (this.aborted) return;
      await this.sendTo(peer, type, payloadFor(peer));
    }
  }

  /** Waits until the slot of every other participant is filled, applying each as it comes. */
  async fromAll(type, apply = () => {}) {
    await Promise.all(this.others.map((peer) => this.slot(peer, type).filled.then((payload) => apply(peer, payload))));
  }

  /** The peers that the current step still waits for. */
  missing() {
    const type = this.step === 'connecting' ? 'channel' : this.step.replace('waiting for ', '');
    return this.others.filter((peer) => !this.slot(peer, type).values);
  }

  slot(peer, type) {
    const name = `${type}/${peer}`;
    if (!this.slots.has(name)) {
      const slot = { values: null };
      slot.filled = new Promise((resolve) => (slot.resolve = resolve));
      this.slots.set(name, slot);
    }
    return this.slots.get(name);
  }

  channelOpen(peer) {
    const slot = this.slot(peer, 'channel');
    if (slot.values) return;
    slot.values = [];
    this.emit('progress', { event: 'peer_connected', peer_id: peer });
    // `channel_open` goes first, whatever the session sends next
    Promise.resolve(this.sendTo(peer, 'channel_open', { peer_id: this.selfId })).then(slot.resolve);
  }

  /** A peer that has sent all it had to may leave; any other ends the session, once what is on its way is in. */
  channelClosed(peer) {
    if (this.finished) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      const isThrough = Object.keys(SLOTS).every((type) => type === 'channel_open' || this.slot(peer, type).values);
      if (!isThrough) this.fail('peer_lost', peer, this.step);
    }, this.closeGraceMs);
    this.timers.add(timer);
  }

  /** Takes one message of a peer. Returns false when it was no part of this session and was ignored. */
  receive(peer, message) {
    const payload = message.payload ?? {};
    const known = !this.aborted && isObject(payload) && this.others.includes(peer);
    const ours = known && (payload.session_id === undefined || payload.session_id === this.sessionId);
    if (!ours || !(Object.hasOwn(SLOTS, message.type) || message.type === 'ack')) {
      this.ignored += 1;
      return false;
    }
    if (message.type === 'ack') {
      this.emit('acked', peer, payload.msg_id);
      return true;
    }
    if (isMessageId(payload.msg_id)) this.sendTo(peer, 'ack', { msg_id: payload.msg_id });
    this.fill(peer, message.type, payload);
    return true;
  }

  fill(peer, type, payload) {
    const values = SLOTS[type](payload);
    if (!values) return this.fail('bad_message', peer, type);
    if (type === 'channel_open' && payload.peer_id !== peer) return this.fail('wrong_peer_id', peer);
    const slot = this.slot(peer, type);
    if (!slot.values) {
      slot.values = values;
      slot.resolve(payload);
    } else if (slot.values.some((value, i) => value !== values[i])) {
      this.fail('conflicting_message', peer, type);
    }
  }

  fail(reason, peer, detail) {
    this.rejectFailed(new SessionAborted(reason, peer, detail));
  }

  /** Runs a FROST check and turns the identifier it blames into a peer id. */
  blaming(check) {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof FrostError)) throw error;
      throw new SessionAborted(error.code, this.participants[error.culprit - 1], error.message);
    }
  }
}
