// What a baseline message looks like: the checks and bounds that peer and server share.

import { CIPHERSUITE, MAX_PARTICIPANTS } from './frost.mjs';

export const MAX_MESSAGE_BYTES = 64 * 1024; // one signaling frame or data-channel message
export const MAX_CANDIDATES = 64; // kept for one peer
export const MAX_REASON_CHARS = 200;

const PEER_ID = /^[A-Za-z0-9._-]{1,64}$/;
const HEX = /^(?:[0-9a-f]{2})+$/;

export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
export const isPeerId = (value) => typeof value === 'string' && PEER_ID.test(value);
export const isSessionId = (value) => typeof value === 'string' && value.length >= 1 && value.length <= 128;
export const isMessageId = (value) => Number.isSafeInteger(value) || isSessionId(value); // the text names no type
export const isHex = (value) => typeof value === 'string' && HEX.test(value);

/** Text of a remote peer or server, made short and printable before it is shown. */
export const shown = (text) => String(text).replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_REASON_CHARS);

/** Parses one JSON message of bounded size with a `type`. Returns null when it is none. */
export function parseMessage(text) {
  if (typeof text !== 'string' || Buffer.byteLength(text) > MAX_MESSAGE_BYTES) return null;
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  return isObject(message) && typeof message.type === 'string' ? message : null;
}

/** The order that fixes who offers and who has which FROST identifier. Peer ids are ASCII, so this is byte order. */
export const byBytes = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** Says what is wrong with a session proposal, or null when it can be accepted. */
export function faultOfProposal(payload, { selfId, from }) {
  if (!isObject(payload)) return 'no payload';
  const { session_id: sessionId, total, threshold, participants, ciphersuite } = payload;
  if (!isSessionId(sessionId)) return 'bad session_id';
  if (!Array.isArray(participants) || !participants.every(isPeerId)) return 'bad participants';
  if (new Set(participants).size !== participants.length) return 'a participant is listed twice';
  if (total !== participants.length) return 'total is not the number of participants';
  if (!Number.isInteger(threshold) || threshold < 2 || threshold > total) return 'bad threshold';
  if (total > MAX_PARTICIPANTS) return 'too many participants';
  if (!participants.includes(selfId)) return 'I am not a participant';
  if (!participants.includes(from)) return 'the initiator is not a participant';
  if (ciphersuite !== undefined && ciphersuite !== CIPHERSUITE) return 'unknown ciphersuite';
  return null;
}
