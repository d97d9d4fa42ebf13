// FROST(secp256k1, SHA-256) distributed key generation, and the byte format of the ZF FROST crates.
//
// The arithmetic is that of @noble/curves (RFC 9591; its key generation is the one of the FROST paper with the
// "dkg" hash domain, as in ZF FROST). This file adds what a session needs around it: strict parsing of the packages,
// and checks made one sender at a time, so that a bad package always names who sent it.

import { crc32 } from 'node:zlib';
import { secp256k1, secp256k1_FROST, secp256k1_hasher } from '@noble/curves/secp256k1.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';

export { bytesToHex, hexToBytes };

export const CIPHERSUITE = 'FROST-secp256k1-SHA256-v1';
export const MAX_PARTICIPANTS = 64;
export const Point = secp256k1.Point;
export const Fn = Point.Fn; // scalars, modulo the order of the group

const FORMAT_VERSION = 0;
const POINT_BYTES = 33;
const SCALAR_BYTES = 32;
const PROOF_BYTES = POINT_BYTES + SCALAR_BYTES;
const HDKG_DOMAIN = utf8ToBytes(`${CIPHERSUITE}dkg`);

// version byte, then the CRC-32 of the ciphersuite id, big-endian: 00 ee d6 b1 b1
export const HEADER = Uint8Array.of(FORMAT_VERSION, 0, 0, 0, 0);
new DataView(HEADER.buffer).setUint32(1, crc32(utf8ToBytes(CIPHERSUITE)), false);

/** A check that failed. `code` says which, `culprit` is the identifier of the participant that caused it. */
export class FrostError extends Error {
  constructor(code, culprit, detail) {
    super(detail ? `${code}: ${detail}` : code);
    this.name = 'FrostError';
    this.code = code;
    this.culprit = culprit;
  }
}

// --- Bytes ---------------------------------------------------------------------------------------------------------

// postcard varint (LEB128). No count or length in here reaches 2^14, so two bytes are enough.
function toVarint(n) {
  return n < 0x80 ? Uint8Array.of(n) : Uint8Array.of((n & 0x7f) | 0x80, n >> 7);
}

class Reader {
  constructor(bytes) {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('bytes expected');
    this.bytes = bytes;
    this.at = 0;
  }

  take(n, what) {
    if (this.at + n > this.bytes.length) throw new Error(`too short for ${what}`);
    const part = this.bytes.slice(this.at, this.at + n);
    this.at += n;
    return part;
  }

  varint(what) {
    const low = this.take(1, what)[0];
    if (low < 0x80) return low;
    const high = this.take(1, what)[0];
    if (high === 0 || high >= 0x80) throw new Error(`bad ${what}`);
    return (high << 7) | (low & 0x7f);
  }

  header() {
    const got = this.take(HEADER.length, 'the header');
    if (got[0] !== FORMAT_VERSION) throw new Error(`unknown format version ${got[0]}`);
    if (got.some((byte, i) => byte !== HEADER[i])) throw new Error('another ciphersuite');
  }

  point(what) {
    const bytes = this.take(POINT_BYTES, what);
    if (bytes[0] !== 2 && bytes[0] !== 3) throw new Error(`${what} is not a compressed point`);
    Point.fromBytes(bytes).assertValidity();
    return bytes;
  }

  scalar(what) {
    const bytes = this.take(SCALAR_BYTES, what);
    Fn.fromBytes(bytes); // throws when it is not below the order
    return bytes;
  }

  end() {
    if (this.at !== this.bytes.length) throw new Error(`${this.bytes.length - this.at} bytes too many`);
  }
}

/** Round-1 package to bytes. `commitment`: compressed points, constant term first. `proof`: R (33) then z (32). */
export function toZfRound1({ commitment, proof }) {
  return concatBytes(HEADER, toVarint(commitment.length), ...commitment, toVarint(proof.length), proof);
}

/** Bytes to a round-1 package. Throws on anything that `toZfRound1` would not have written. */
export function fromZfRound1(bytes) {
  const reader = new Reader(bytes);
  reader.header();
  const count = reader.varint('the count of points');
  if (count < 1 || count > MAX_PARTICIPANTS) throw new Error(`${count} points in the commitment`);
  const commitment = Array.from({ length: count }, (_, i) => reader.point(`commitment point ${i}`));
  if (reader.varint('the length of the proof') !== PROOF_BYTES) throw new Error('bad length of the proof');
  const proof = concatBytes(reader.point('proof point'), reader.scalar('proof scalar'));
  reader.end();
  return { commitment, proof };
}

/** Round-2 package to bytes: the 32-byte big-endian share behind the header. */
export function toZfRound2(share) {
  return concatBytes(HEADER, share);
}

/** Bytes to the share of a round-2 package. */
export function fromZfRound2(bytes) {
  const reader = new Reader(bytes);
  reader.header();
  const share = reader.scalar('share');
  reader.end();
  return share;
}

// --- Checks, one sender at a time ----------------------------------------------------------------------------------

/** Parses and checks the round-1 package of participant `sender`; throws a FrostError naming that participant. */
export function checkRound1(sender, bytes, threshold) {
  let round1;
  try {
    round1 = fromZfRound1(bytes);
  } catch (error) {
    throw new FrostError('bad_round1_package', sender, error.message);
  }
  if (round1.commitment.length !== threshold) {
    throw new FrostError('wrong_degree', sender, `${round1.commitment.length} points for a threshold of ${threshold}`);
  }
  if (!verifyProofOfKnowledge(sender, round1)) throw new FrostError('bad_proof_of_knowledge', sender);
  return round1;
}

/** Does `proof` show knowledge of the secret behind the first point? R = z*G - c*phi, c = HDKG(id, phi, R). */
export function verifyProofOfKnowledge(identifier, { commitment, proof }) {
  const challenge = secp256k1_hasher.hashToScalar(
    concatBytes(Fn.toBytes(BigInt(identifier)), commitment[0], proof.slice(0, POINT_BYTES)),
    { DST: HDKG_DOMAIN },
  );
  const R = Point.fromBytes(proof.slice(0, POINT_BYTES));
  const z = Fn.fromBytes(proof.slice(POINT_BYTES));
  const phi = Point.fromBytes(commitment[0]);
  return R.equals(Point.BASE.multiplyUnsafe(z).subtract(phi.multiplyUnsafe(challenge)));
}

/** Parses the round-2 package that `sender` made for `recipient`, and checks it against the sender's commitment. */
export function checkRound2(sender, recipient, round1, bytes) {
  let share;
  try {
    share = fromZfRound2(bytes);
  } catch (error) {
    throw new FrostError('bad_round2_package', sender, error.message);
  }
  const scalar = Fn.fromBytes(share);
  if (scalar === 0n || !Point.BASE.multiply(scalar).equals(evaluateCommitment(round1.commitment, recipient))) {
    throw new FrostError('bad_share', sender);
  }
  return share;
}

/** The point f(x)*G of the polynomial that `commitment` commits to, by Horner's rule. */
export function evaluateCommitment(commitment, x) {
  return commitment.reduceRight((sum, bytes) => sum.multiplyUnsafe(BigInt(x)).add(Point.fromBytes(bytes)), Point.ZERO);
}

// --- Key generation --------------------------------------------------------------------------------------------------

const { DKG, Identifier } = secp256k1_FROST;
const idOf = (n) => Identifier.fromNumber(n);

/** Round 1. Returns the secret to keep and the package, as bytes, that goes to every other participant. */
export function part1({ identifier, total, threshold }) {
  if (total > MAX_PARTICIPANTS || identifier < 1 || identifier > total) throw new RangeError('bad identifier or total');
  const { public: made, secret } = DKG.round1(idOf(identifier), { min: threshold, max: total });
  return {
    secret: { identifier, total, threshold, noble: secret },
    package: toZfRound1({ commitment: made.commitment, proof: made.proofOfKnowledge }),
  };
}

/** Round 2. `received`: Map of identifier to round-1 bytes, from all others. Returns Map of recipient to bytes. */
export function part2(secret, received) {
  expectOthers(secret, received, 'round-1');
  const round1 = new Map([...received].map(([id, bytes]) => [id, checkRound1(id, bytes, secret.threshold)]));
  const shares = DKG.round2(secret.noble, nobleRound1(round1));
  return {
    secret: { ...secret, round1 },
    packages: new Map([...round1.keys()].map((id) => [id, toZfRound2(shares[idOf(id)].signingShare)])),
  };
}

/** Round 3. `received`: Map of identifier to the round-2 bytes made for us, from all others. Returns the key. */
export function part3(secret, received) {
  expectOthers(secret, received, 'round-2');
  const round2 = [...received].map(([id, bytes]) => ({
    identifier: idOf(id),
    signingShare: checkRound2(id, secret.identifier, secret.round1.get(id), bytes),
  }));
  const { public: group, secret: own } = DKG.round3(secret.noble, nobleRound1(secret.round1), round2);
  const identifiers = Array.from({ length: secret.total }, (_, i) => i + 1);
  return {
    identifier: secret.identifier,
    threshold: secret.threshold,
    total: secret.total,
    signingShare: own.signingShare,
    groupKey: group.commitments[0],
    verifyingShares: new Map(identifiers.map((id) => [id, group.verifyingShares[idOf(id)]])),
  };
}

/** The secret that `shares` (Map of identifier to share bytes) interpolate to at zero. For tests. */
export function interpolate(shares) {
  let secret = 0n;
  for (const [i, share] of shares) {
    let factor = Fn.fromBytes(share);
    for (const j of shares.keys()) {
      if (j !== i) factor = Fn.mul(factor, Fn.div(BigInt(j), Fn.sub(BigInt(j), BigInt(i))));
    }
    secret = Fn.add(secret, factor);
  }
  return secret;
}

function nobleRound1(round1) {
  return [...round1].map(([id, { commitment, proof }]) => ({
    identifier: idOf(id),
    commitment,
    proofOfKnowledge: proof,
  }));
}

function expectOthers(secret, received, what) {
  for (let id = 1; id <= secret.total; id++) {
    if (received.has(id) === (id === secret.identifier)) throw new Error(`${what} packages of exactly the others needed`);
  }
  if (received.size !== secret.total - 1) throw new Error(`${what} package of a stranger`);
}
