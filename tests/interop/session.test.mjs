// Tests of session.mjs without a network: the order of messages, repeats and early messages, and who is blamed for what.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesToHex } from './frost.mjs';
import { Session, SessionAborted } from './session.mjs';
import { TAMPERS, tamperNamed } from './tamper.mjs';

const NAMES = ['carol', 'alice', 'bob']; // on purpose not sorted

/** Sessions joined by function calls. `tamper` bends what alice sends; `wire` may reorder a message on its way. */
function mesh({ names = NAMES, threshold = 2, tamper, wire = (_from, _to, _message, deliver) => deliver() } = {}) {
  const sessions = new Map();
  const log = [];
  const proposal = { session_id: 's', total: names.length, threshold, participants: names };
  for (const selfId of names) {
    const send = async (to, type, payload) => {
      const bent = selfId === 'alice' && tamper ? tamper(type, payload, to, sessions.get('alice')) : payload;
      for (const each of [bent].flat()) {
        if (each === null) continue;
        const message = JSON.parse(JSON.stringify({ type, payload: each }));
        log.push({ from: selfId, to, ...message });
        wire(selfId, to, message, () => queueMicrotask(() => sessions.get(to).receive(selfId, message)));
      }
    };
    sessions.set(selfId, new Session({ selfId, proposal, send, closeGraceMs: 20 }));
  }
  const outcomes = new Map(names.map((id) => [id, sessions.get(id).run().then((key) => ({ key }), (error) => ({ error }))]));
  for (const session of sessions.values()) for (const peer of session.others) session.channelOpen(peer);
  return { sessions, outcomes, log };
}

async function assertAllAgree({ sessions, outcomes }) {
  const keys = await Promise.all([...outcomes.values()]);
  for (const { error } of keys) assert.ifError(error);
  assert.equal(new Set(keys.map(({ key }) => bytesToHex(key.groupKey))).size, 1);
  for (const session of sessions.values()) assert.equal(session.step, 'done');
}

/** The honest peers end the session, each naming alice. */
async function assertBlamesAlice({ sessions, outcomes }, reason) {
  for (const id of ['bob', 'carol']) {
    const { error } = await outcomes.get(id);
    assert.ok(error instanceof SessionAborted, `${id}: ${error}`);
    assert.equal(error.reason, reason);
    assert.equal(error.peerId, 'alice');
    assert.equal(sessions.get(id).key, null);
  }
}

test('a session in order', async () => {
  const run = mesh();
  await assertAllAgree(run);
  const types = run.log.filter(({ from, to }) => from === 'bob' && to === 'carol').map(({ type }) => type);
  assert.deepEqual(types, ['channel_open', 'mesh_ready', 'commitment', 'ready', 'share', 'wallet_created']);
  assert.deepEqual([...run.sessions.values()].map((s) => s.identifier), [3, 1, 2]);
});

test('two of two, and five of five', async () => {
  await assertAllAgree(mesh({ names: ['a', 'B'] }));
  await assertAllAgree(mesh({ names: ['e', 'd', 'c', 'b', 'a'], threshold: 5 }));
});

test('messages for a later step are kept', async () => {
  // bob hears nothing of alice for a while, and then all of it
  const held = [];
  const run = mesh({
    wire: (from, to, message, deliver) => {
      if (from === 'alice' && to === 'bob' && message.type === 'mesh_ready') {
        held.push(deliver);
        setTimeout(() => held.splice(0).forEach((go) => go()), 30);
      } else if (held.length && from === 'alice' && to === 'bob') held.push(deliver);
      else deliver();
    },
  });
  await assertAllAgree(run);
});

test('a step that is ahead of its turn does no harm: share before ready, commitment before mesh_ready', async () => {
  const late = new Set(['mesh_ready', 'ready']);
  await assertAllAgree(
    mesh({ wire: (_from, _to, { type }, deliver) => (late.has(type) ? setTimeout(deliver, 20) : deliver()) }),
  );
});

test('every message twice is harmless', async () => {
  await assertAllAgree(mesh({ wire: (_from, _to, _message, deliver) => (deliver(), deliver()) }));
});

test('unknown types, unknown fields and other sessions are ignored and counted', async () => {
  const run = mesh({ tamper: (_type, payload) => ({ ...payload, colour: 'blue' }) });
  const bob = run.sessions.get('bob');
  assert.equal(bob.receive('alice', { type: 'colour', payload: {} }), false);
  assert.equal(bob.receive('alice', { type: 'commitment', payload: { session_id: 'other', data: '00' } }), false);
  assert.equal(bob.receive('mallory', { type: 'commitment', payload: { data: '00' } }), false);
  assert.equal(bob.receive('alice', { type: 'channel', payload: {} }), false);
  await assertAllAgree(run);
  assert.equal(bob.ignored, 4);
});

test('a message with a msg_id is acknowledged, each time', async () => {
  const run = mesh({
    tamper: (type, payload) => (type === 'mesh_ready' ? [{ ...payload, msg_id: 7 }, { ...payload, msg_id: 7 }] : payload),
  });
  await assertAllAgree(run);
  const acks = run.log.filter(({ type }) => type === 'ack');
  assert.deepEqual(acks.map(({ from, to, payload }) => `${from} ${to} ${payload.msg_id}`).sort(), [
    'bob alice 7', 'bob alice 7', 'carol alice 7', 'carol alice 7',
  ]);
});

const EXPECTED = {
  'commitment-truncated': 'bad_round1_package',
  'commitment-not-on-curve': 'bad_round1_package',
  'commitment-wrong-degree': 'wrong_degree',
  'commitment-bad-proof': 'bad_proof_of_knowledge',
  'commitment-two-different': 'conflicting_message',
  'share-wrong': 'bad_share',
  'share-truncated': 'bad_round2_package',
  'wrong-pubkey': 'pubkey_mismatch',
};
for (const [name, reason] of Object.entries(EXPECTED)) {
  test(`${name} ends the session and names its sender`, () => assertBlamesAlice(mesh({ tamper: tamperNamed(name) }), reason));
}

test('commitment-twice is harmless', () => assertAllAgree(mesh({ tamper: tamperNamed('commitment-twice') })));

test('no-commitment leaves the others waiting for it', async () => {
  const run = mesh({ tamper: tamperNamed('no-commitment') });
  await until(() => ['bob', 'carol'].every((id) => run.sessions.get(id).step === 'waiting for commitment'));
  await sleep(100);
  for (const id of ['bob', 'carol']) {
    assert.equal(run.sessions.get(id).step, 'waiting for commitment');
    assert.deepEqual(run.sessions.get(id).missing(), ['alice']);
  }
});

test('every named tamper is tested', () => {
  assert.deepEqual(Object.keys(TAMPERS).sort(), [...Object.keys(EXPECTED), 'commitment-twice', 'no-commitment'].sort());
  assert.throws(() => tamperNamed('toString'), /unknown tamper/);
});

test('malformed fields name their sender', async () => {
  const bad = (at, change) => (type, payload) => (type === at ? change(payload) : payload);
  await assertBlamesAlice(mesh({ tamper: bad('commitment', () => ({ data: 7 })) }), 'bad_message');
  await assertBlamesAlice(mesh({ tamper: bad('share', () => ({ data: 'zz' })) }), 'bad_message');
  await assertBlamesAlice(mesh({ tamper: bad('channel_open', () => ({ peer_id: 'bob' })) }), 'wrong_peer_id');
});

test('a peer that leaves early is named', async () => {
  const run = mesh({ tamper: (type, payload) => (type === 'share' ? null : payload) });
  for (const id of ['bob', 'carol']) {
    await until(() => run.sessions.get(id).step === 'waiting for share');
    run.sessions.get(id).channelClosed('alice');
  }
  await assertBlamesAlice(run, 'peer_lost');
});

test('a peer that is through may leave', async () => {
  const held = [];
  const run = mesh({
    wire: (from, to, { type }, deliver) =>
      from === 'carol' && to === 'bob' && type === 'wallet_created' ? held.push(deliver) : deliver(),
  });
  await run.outcomes.get('alice');
  const bob = run.sessions.get('bob');
  await until(() => bob.step === 'waiting for wallet_created' && bob.missing().join() === 'carol');
  bob.channelClosed('alice');
  await sleep(60); // longer than the grace given to messages on their way
  held.forEach((deliver) => deliver());
  await assertAllAgree(run);
});

async function until(condition) {
  for (let i = 0; i < 500; i++) {
    if (condition()) return;
    await sleep(10);
  }
  assert.fail('waited too long');
}
