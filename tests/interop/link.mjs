// One WebRTC connection to one other peer: offer or answer, trickled candidates, one data channel.

import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { RTCPeerConnection } from 'werift';
import { byBytes, isObject, MAX_CANDIDATES, MAX_MESSAGE_BYTES } from './wire.mjs';

const RESEND_MS = 3000; // an offer without an answer goes out again: its receiver may have come later
const FLUSH_MS = 5000;
const CLOSE_MS = 50;
const CHANNEL_LABEL = 'frostmesh';
const HELLO_VERIFY_REQUEST = 3; // DTLS handshake message type

// Host names that hide an address (mDNS) are skipped: the other side still reaches us, and is seen then.
const isUsable = (candidate) => candidate !== '' && !/\.local\b/i.test(candidate);
const withoutHiddenCandidates = (sdp) =>
  sdp
    .split(/\r?\n/)
    .filter((line) => !(line.startsWith('a=candidate:') && !isUsable(line)) && line !== 'a=end-of-candidates')
    .join('\r\n');

// What werift needs to be kept from, on each of its transports before it starts.
function tame(pc) {
  for (const transport of pc.dtlsTransports) {
    // given no STUN server it asks a public one; with this it asks nobody
    transport.iceTransport.connection.stunServer = undefined;
    // its DTLS client takes the answer to a hello that it sent twice for an error; on a busy machine that happens
    let dtls;
    Object.defineProperty(transport, 'dtls', {
      configurable: true,
      enumerable: true,
      get: () => dtls,
      set: (made) => {
        dtls = made;
        const handle = made.onHandleHandshakes;
        const isRepeat = ({ msg_type }) => msg_type === HELLO_VERIFY_REQUEST && made.dtls.flight >= 3;
        made.onHandleHandshakes = (messages) => handle(messages.filter((message) => !isRepeat(message)));
      },
    });
  }
}

/**
 * Options: `selfId`, `peerId` and `signal(data)`, which relays `data` to the other peer.
 * Events: `open`, `message` (text), `close`, `ignored` (why).
 */
export class PeerLink extends EventEmitter {
  constructor({ selfId, peerId, signal }) {
    super();
    this.peerId = peerId;
    this.signal = signal;
    this.offers = byBytes(selfId, peerId) < 0;
    this.channel = null;
    this.isOpen = false;
    this.isLost = false;
    this.closed = false; // by us
    this.local = null; // the description we sent
    this.localCandidates = [];
    this.remoteSdp = null;
    this.remoteCandidates = []; // those that came before the remote description
    this.candidateCount = 0;
    this.queue = Promise.resolve();
    this.connect();
  }

  connect() {
    const pc = new RTCPeerConnection({
      iceServers: [],
      iceAdditionalHostAddresses: ['127.0.0.1'],
      maxMessageSize: MAX_MESSAGE_BYTES,
    });
    this.pc = pc;
    pc.onIceCandidate.subscribe((candidate) => {
      if (pc !== this.pc || this.closed) return;
      const { candidate: line = '', sdpMid = '0', sdpMLineIndex = 0 } = candidate?.toJSON?.() ?? candidate ?? {};
      const data = { type: 'ice-candidate', candidate: line, sdpMid, sdpMLineIndex };
      if (this.localCandidates.length >= MAX_CANDIDATES) return;
      this.localCandidates.push(data);
      if (this.local) this.signal(data);
    });
    pc.connectionStateChange.subscribe((state) => {
      if (pc === this.pc && (state === 'failed' || state === 'closed')) this.lost();
    });
    pc.onDataChannel.subscribe((channel) => {
      if (pc === this.pc && !this.offers && !this.channel) this.use(channel);
    });
  }

  /** Begins the connection when it is ours to offer, and keeps offering until there is an answer. */
  async start() {
    if (!this.offers) return;
    this.use(this.pc.createDataChannel(CHANNEL_LABEL));
    await this.describe(await this.pc.createOffer());
    while (!this.remoteSdp && !this.closed) {
      await sleep(RESEND_MS, undefined, { ref: false });
      if (!this.remoteSdp && !this.closed) this.sendLocal();
    }
  }

  /** Sets our description, sends it, and then the candidates that were found meanwhile. */
  async describe(description) {
    tame(this.pc);
    await this.pc.setLocalDescription(description);
    this.local = { type: description.type, sdp: description.sdp };
    this.sendLocal();
  }

  sendLocal() {
    this.signal(this.local);
    for (const data of this.localCandidates) this.signal(data);
  }

  /** Takes an `offer`, `answer` or `ice-candidate`, one after another. */
  receive(data) {
    this.queue = this.queue
      .then(() => (this.closed ? undefined : this.apply(data)))
      .catch((error) => this.emit('ignored', `${data.type}: ${error.message}`));
    return this.queue;
  }

  async apply(data) {
    if (data.type === 'ice-candidate') return this.applyCandidate(data);
    if (typeof data.sdp !== 'string' || data.sdp.length > MAX_MESSAGE_BYTES) throw new Error('no sdp');
    if (data.type !== (this.offers ? 'answer' : 'offer')) throw new Error('not from this side');
    if (this.remoteSdp === data.sdp) {
      // a repeat; our answer may have got lost
      if (this.local && !this.isOpen && !this.offers) this.sendLocal();
      return;
    }
    if (this.remoteSdp) {
      if (this.offers || this.isOpen) throw new Error('a second, other one');
      await this.restart();
    }
    this.remoteSdp = data.sdp;
    await this.pc.setRemoteDescription({ type: data.type, sdp: withoutHiddenCandidates(data.sdp) });
    if (!this.offers) await this.describe(await this.pc.createAnswer());
    for (const early of this.remoteCandidates.splice(0)) await this.addCandidate(early);
  }

  /** The other side began anew before there was a channel: so do we. */
  async restart() {
    const old = this.pc;
    this.local = null;
    this.localCandidates = [];
    this.candidateCount = 0;
    this.connect();
    await old.close();
  }

  async applyCandidate(data) {
    if (typeof data.candidate !== 'string' || data.candidate.length > 1024) throw new Error('no candidate');
    // an end of candidates is not passed on: more may still be learnt from the other side's checks
    if (!isUsable(data.candidate)) return;
    this.candidateCount += 1;
    if (this.candidateCount > MAX_CANDIDATES) throw new Error('too many');
    if (this.remoteSdp && this.local) await this.addCandidate(data);
    else this.remoteCandidates.push(data);
  }

  async addCandidate({ candidate, sdpMid, sdpMLineIndex }) {
    try {
      await this.pc.addIceCandidate({ candidate, sdpMid: sdpMid ?? undefined, sdpMLineIndex: sdpMLineIndex ?? 0 });
    } catch {
      // there is one section only, whatever it is called
      await this.pc.addIceCandidate({ candidate, sdpMLineIndex: 0 });
    }
  }

  use(channel) {
    this.channel = channel;
    channel.onMessage.subscribe((text) => {
      if (typeof text !== 'string') return this.emit('ignored', 'a binary message');
      this.emit('message', text);
    });
    channel.stateChanged.subscribe((state) => {
      if (channel !== this.channel) return;
      if (state === 'open') this.opened();
      if (state === 'closed') this.lost();
    });
    if (channel.readyState === 'open') this.opened();
  }

  opened() {
    if (this.isOpen || this.closed) return;
    this.isOpen = true;
    this.emit('open');
  }

  lost() {
    if (this.closed || this.isLost) return;
    this.isLost = true;
    this.isOpen = false;
    this.emit('close');
  }

  /** Sends one text message; false when there is no open channel. */
  send(text) {
    if (!this.isOpen || this.channel.readyState !== 'open') return false;
    this.channel.send(text);
    return true;
  }

  /** Waits until the other side has acknowledged all we sent (by SCTP), for a bounded time. */
  async flush() {
    const until = Date.now() + FLUSH_MS;
    while (this.isOpen && Date.now() < until) {
      const { sctp } = this.pc.sctpTransport;
      if (this.channel.bufferedAmount === 0 && sctp.outboundQueue.length === 0 && sctp.sentQueue.length === 0) return true;
      await sleep(10);
    }
    return false;
  }

  /** Tells the other side (SCTP abort) and frees the sockets. */
  async close() {
    if (this.closed) return;
    this.closed = true;
    const wasOpen = this.isOpen;
    this.isOpen = false;
    try {
      await this.pc.sctpTransport?.stop();
      if (wasOpen) await sleep(CLOSE_MS); // the datagram leaves its socket a little later
    } catch {
      // it was not connected
    }
    await this.pc.close();
  }
}

/** Is `data` one of the three messages that make a connection? */
export const isLinkSignal = (data) => isObject(data) && ['offer', 'answer', 'ice-candidate'].includes(data.type);
