// Named ways to misbehave, for tests of how other peers take it. Each looks at one outgoing peer message and returns
// the payload to send instead, an array of payloads to send one after another, or null to send nothing.

import { bytesToHex, Fn, fromZfRound1, fromZfRound2, hexToBytes, part1, Point, toZfRound1, toZfRound2 } from './frost.mjs';

const on = (type, change) => (seenType, payload, toPeer, session) =>
  seenType === type ? change(payload, toPeer, session) : payload;

const cut = (payload, bytes) => ({ ...payload, data: payload.data.slice(0, -2 * bytes) });
const plusOne = (scalar) => Fn.toBytes(Fn.add(Fn.fromBytes(scalar), 1n));
const round1 = (payload, change) => ({
  ...payload,
  data: bytesToHex(toZfRound1(change(fromZfRound1(hexToBytes(payload.data))))),
});

const NOT_ON_CURVE = Uint8Array.of(2, ...new Array(31).fill(0), 5); // 5^3 + 7 has no square root

export const TAMPERS = {
  'commitment-truncated': () => on('commitment', (payload) => cut(payload, 10)),

  'commitment-not-on-curve': () =>
    on('commitment', (payload) =>
      round1(payload, ({ commitment, proof }) => ({ commitment: [...commitment.slice(0, -1), NOT_ON_CURVE], proof })),
    ),

  'commitment-wrong-degree': () =>
    on('commitment', (payload) =>
      round1(payload, ({ commitment, proof }) => ({ commitment: [...commitment, Point.BASE.toBytes()], proof })),
    ),

  'commitment-bad-proof': () =>
    on('commitment', (payload) =>
      round1(payload, ({ commitment, proof }) => ({
        commitment,
        proof: Uint8Array.of(...proof.slice(0, 33), ...plusOne(proof.slice(33))),
      })),
    ),

  // an exact repeat: must be harmless
  'commitment-twice': () => on('commitment', (payload) => [payload, payload]),

  // two packages that are each good on their own
  'commitment-two-different': () =>
    on('commitment', (payload, _toPeer, session) => [
      payload,
      { ...payload, data: bytesToHex(part1(session).package) },
    ]),

  'share-wrong': () =>
    on('share', (payload) => ({
      ...payload,
      data: bytesToHex(toZfRound2(plusOne(fromZfRound2(hexToBytes(payload.data))))),
    })),

  'share-truncated': () => on('share', (payload) => cut(payload, 1)),

  'wrong-pubkey': () => on('wallet_created', (payload) => ({ ...payload, pubkey: bytesToHex(Point.BASE.toBytes()) })),

  'no-commitment': () => on('commitment', () => null),
};

/** The tamper function of that name. */
export function tamperNamed(name) {
  if (!Object.hasOwn(TAMPERS, name)) throw new Error(`unknown tamper ${name}; known: ${Object.keys(TAMPERS).join(', ')}`);
  return TAMPERS[name]();
}
