// Tests of frost.mjs: the ZF byte format against vectors of the reference, key generation, and blame.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as frost from './frost.mjs';

const { bytesToHex, hexToBytes, Fn, Point } = frost;
const vectors = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8'));

/** Runs a whole key generation in memory. `bend1` and `bend2` may change a package on its way. */
function generate(total, threshold, { bend1 = (_from, _to, b) => b, bend2 = (_from, _to, b) => b } = {}) {
  const ids = Array.from({ length: total }, (_, i) => i + 1);
  const othersOf = (id) => ids.filter((other) => other !== id);
  const first = new Map(ids.map((identifier) => [identifier, frost.part1({ identifier, total, threshold })]));
  const second = new Map(
    ids.map((id) => {
      const received = new Map(othersOf(id).map((from) => [from, bend1(from, id, first.get(from).package)]));
      return [id, frost.part2(first.get(id).secret, received)];
    }),
  );
  return ids.map((id) => {
    const received = new Map(othersOf(id).map((from) => [from, bend2(from, id, second.get(from).packages.get(id))]));
    return frost.part3(second.get(id).secret, received);
  });
}

/** The parts of a ZF round-1 *secret* package: identifier, coefficients, commitment, min, max. */
function readSecretPackage(hex) {
  const bytes = hexToBytes(hex);
  const identifier = Fn.fromBytes(bytes.slice(0, 32));
  const threshold = bytes[32];
  const coefficients = Array.from({ length: threshold }, (_, i) => Fn.fromBytes(bytes.slice(33 + 32 * i, 65 + 32 * i)));
  const at = 33 + 32 * threshold;
  assert.equal(bytes[at], threshold);
  const commitment = Array.from({ length: threshold }, (_, i) => bytes.slice(at + 1 + 33 * i, at + 34 + 33 * i));
  const [min, max] = bytes.slice(at + 1 + 33 * threshold);
  assert.equal(bytes.length, at + 3 + 33 * threshold);
  return { identifier, coefficients, commitment, signers: { min, max }, step: 1 };
}

for (const [threshold, total] of [[2, 3], [3, 5], [2, 2], [5, 5]]) {
  test(`key generation, ${threshold} of ${total}`, () => {
    const keys = generate(total, threshold);
    const groupKey = bytesToHex(keys[0].groupKey);
    for (const key of keys) {
      assert.equal(bytesToHex(key.groupKey), groupKey);
      assert.deepEqual(key.verifyingShares, keys[0].verifyingShares);
      const own = Point.BASE.multiply(Fn.fromBytes(key.signingShare)).toBytes();
      assert.deepEqual(key.verifyingShares.get(key.identifier), own);
    }
    const publicKeyOf = (some) => {
      const secret = frost.interpolate(new Map(some.map((key) => [key.identifier, key.signingShare])));
      return bytesToHex(Point.BASE.multiply(secret).toBytes());
    };
    assert.equal(publicKeyOf(keys.slice(0, threshold)), groupKey);
    assert.equal(publicKeyOf(keys.slice(-threshold)), groupKey);
    if (threshold > 1) assert.notEqual(publicKeyOf(keys.slice(0, threshold - 1)), groupKey);
  });
}

test('the header is version 0 and the CRC-32 of the ciphersuite id', () => {
  assert.equal(bytesToHex(frost.HEADER), '00eed6b1b1');
  assert.equal(vectors.ciphersuite, frost.CIPHERSUITE);
});

for (const { total, threshold, participants } of vectors.sets) {
  const name = `vectors, ${threshold} of ${total}`;
  const round1 = new Map(participants.map((p) => [p.identifier, hexToBytes(p.round1_package)]));
  const others = (id, all) => new Map([...all].filter(([other]) => other !== id));

  test(`${name}: packages survive a round trip byte for byte`, () => {
    for (const p of participants) {
      assert.equal(bytesToHex(frost.toZfRound1(frost.fromZfRound1(round1.get(p.identifier)))), p.round1_package);
      for (const hex of Object.values(p.round2_received)) {
        assert.equal(bytesToHex(frost.toZfRound2(frost.fromZfRound2(hexToBytes(hex)))), hex);
      }
    }
  });

  test(`${name}: proofs hold for their sender and for nobody else`, () => {
    for (const [id, bytes] of round1) {
      frost.checkRound1(id, bytes, threshold);
      assert.throws(() => frost.checkRound1(id + 1, bytes, threshold), { code: 'bad_proof_of_knowledge', culprit: id + 1 });
    }
  });

  test(`${name}: the same secrets give the same shares and keys`, () => {
    for (const p of participants) {
      const id = p.identifier;
      assert.equal(bytesToHex(Fn.toBytes(BigInt(id))), p.identifier_bytes);
      const secret = { identifier: id, total, threshold, noble: readSecretPackage(p.round1_secret_package) };
      const second = frost.part2(secret, others(id, round1));
      for (const [to, bytes] of second.packages) {
        assert.equal(bytesToHex(bytes), participants[to - 1].round2_received[id]);
      }
      const received = new Map(Object.entries(p.round2_received).map(([from, hex]) => [Number(from), hexToBytes(hex)]));
      const key = frost.part3(second.secret, received);
      assert.equal(bytesToHex(key.signingShare), p.signing_share);
      assert.equal(bytesToHex(key.groupKey), p.group_key);
      for (const other of participants) {
        assert.equal(bytesToHex(key.verifyingShares.get(other.identifier)), other.verifying_share);
      }
    }
  });
}

test('what the reference refuses is refused; of what it takes, only the canonical bytes are taken', () => {
  for (const { case: name, bytes, reference_accepts: accepts } of vectors.round1_decoding) {
    let mine = true;
    try {
      frost.fromZfRound1(hexToBytes(bytes));
    } catch {
      mine = false;
    }
    assert.equal(mine, name === 'as made', name);
    if (name === 'as made') assert.ok(accepts);
  }
});

test('a count of 128 or more takes two bytes, and is too large to be accepted', () => {
  const { commitment, proof } = frost.fromZfRound1(frost.part1({ identifier: 1, total: 3, threshold: 2 }).package);
  const long = frost.toZfRound1({ commitment: Array.from({ length: 130 }, () => commitment[0]), proof });
  assert.deepEqual([...long.slice(5, 7)], [0x82, 0x01]);
  assert.throws(() => frost.fromZfRound1(long), /130 points/);
});

const from2 = (change) => (from, _to, bytes) => (from === 2 ? change(bytes) : bytes);
const badRound1 = {
  truncated: ['bad_round1_package', (b) => b.slice(0, -1)],
  'a point that is not on the curve': ['bad_round1_package', (b) => b.map((x, i) => (i > 6 && i < 39 ? 0 : x))],
  'one point too many': ['wrong_degree', (b) => {
    const { commitment, proof } = frost.fromZfRound1(b);
    return frost.toZfRound1({ commitment: [...commitment, commitment[0]], proof });
  }],
  'a bent proof': ['bad_proof_of_knowledge', (b) => b.map((x, i) => (i === b.length - 1 ? x ^ 1 : x))],
};
for (const [name, [code, change]] of Object.entries(badRound1)) {
  test(`round 1, ${name}: names the sender`, () => {
    assert.throws(() => generate(3, 2, { bend1: from2(change) }), { name: 'FrostError', code, culprit: 2 });
  });
}

const badRound2 = {
  truncated: ['bad_round2_package', (b) => b.slice(0, -1)],
  'not below the order': ['bad_round2_package', (b) => b.map((x, i) => (i > 4 ? 0xff : x))],
  wrong: ['bad_share', (b) => b.map((x, i) => (i === b.length - 1 ? x ^ 1 : x))],
  zero: ['bad_share', (b) => b.map((x, i) => (i > 4 ? 0 : x))],
};
for (const [name, [code, change]] of Object.entries(badRound2)) {
  test(`round 2, share ${name}: names the sender`, () => {
    assert.throws(() => generate(3, 2, { bend2: from2(change) }), { name: 'FrostError', code, culprit: 2 });
  });
}

test('packages of exactly the others are needed', () => {
  const { secret, package: own } = frost.part1({ identifier: 1, total: 3, threshold: 2 });
  const other = frost.part1({ identifier: 2, total: 3, threshold: 2 }).package;
  assert.throws(() => frost.part2(secret, new Map([[2, other]])), /exactly the others/);
  assert.throws(() => frost.part2(secret, new Map([[1, own], [2, other]])), /exactly the others/);
});
