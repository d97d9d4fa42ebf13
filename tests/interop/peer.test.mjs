// Tests of whole baseline peers: real WebRTC on this machine, through server.mjs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BaselinePeer, bytesToHex, Fn, interpolate, Point, tamperNamed } from './peer.mjs';
import { startServer } from './server.mjs';
import { createArgs, joinArgs, start, startServerProcess } from './testing.mjs';

const NAMES = ['alice', 'bob', 'carol'];
let server;
before(async () => (server = await startServerProcess()));
after(() => server.stop());

/** Runs three peer processes, each with options of its own, and returns them with their exit codes. */
async function runThree({ alice = [], bob = [], carol = [], creator = 'alice', timeout = 40 } = {}) {
  const more = { alice, bob, carol };
  const peers = {};
  for (const id of NAMES) {
    const options = ['--timeout', `${timeout}`, ...more[id]];
    const args = id === creator ? createArgs(server.url, id, NAMES, 2, ...options) : joinArgs(server.url, id, ...options);
    peers[id] = start('peer.mjs', args);
  }
  const codes = {};
  for (const id of NAMES) codes[id] = await peers[id].exited;
  return { peers, codes };
}

const logs = (peers) => NAMES.map((id) => `${id}: ${JSON.stringify(peers[id].events)} ${peers[id].stderr()}`).join('\n');
const last = (peer) => peer.events.at(-1);

for (const creator of ['alice', 'carol']) {
  test(`three peers make a 2-of-3 key, proposed by ${creator}`, async () => {
    const { peers, codes } = await runThree({ creator });
    assert.deepEqual(codes, { alice: 0, bob: 0, carol: 0 }, logs(peers));
    const made = NAMES.map((id) => last(peers[id]));
    for (const [i, event] of made.entries()) {
      assert.deepEqual(event, { ...made[0], identifier: i + 1 });
      assert.equal(event.event, 'wallet_created');
      assert.match(event.pubkey, /^0[23][0-9a-f]{64}$/);
      assert.deepEqual([event.threshold, event.total, event.participants], [2, 3, NAMES]);
    }
    for (const id of NAMES) {
      const seen = peers[id].events.map(({ event }) => event);
      const begins = id === creator ? 'proposed' : 'accepted';
      for (const wanted of ['registered', begins, 'peer_connected', 'mesh_ready', 'round']) assert.ok(seen.includes(wanted));
      assert.doesNotMatch(JSON.stringify(peers[id].events), /share/i);
    }
  });
}

test('five peers in one process make a 3-of-5 key whose shares fit', async () => {
  const { url, close } = await startServer();
  const names = ['e', 'd', 'c', 'b', 'a'];
  const peers = names.map(
    (peerId, i) =>
      new BaselinePeer({
        server: url, peerId, sessionId: 'five', timeoutMs: 60_000,
        create: i === 0 ? { participants: names, threshold: 3 } : undefined,
      }),
  );
  const outcomes = await Promise.all(peers.map((peer) => peer.run()));
  await close();
  assert.deepEqual(outcomes.map(({ status }) => status), names.map(() => 'done'), JSON.stringify(outcomes));
  for (const link of peers.flatMap((peer) => [...peer.links.values()])) {
    for (const { connection } of link.pc.iceTransports) assert.equal(connection.stunServer, undefined); // asks nobody
  }
  const secret = interpolate(new Map(peers.slice(1, 4).map(({ key }) => [key.identifier, key.signingShare])));
  assert.equal(bytesToHex(Point.BASE.multiply(secret).toBytes()), outcomes[0].pubkey);
  for (const { key } of peers) {
    const own = Point.BASE.multiply(Fn.fromBytes(key.signingShare)).toBytes();
    assert.deepEqual(own, peers[0].key.verifyingShares.get(key.identifier));
  }
});

test('offers and candidates that come before the proposal are kept', async () => {
  const { url, close } = await startServer();
  const peers = NAMES.map(
    (peerId) =>
      new BaselinePeer({ server: url, peerId, create: peerId === 'carol' ? { participants: NAMES, threshold: 2 } : undefined }),
  );
  const bob = peers[1];
  const takeProposal = bob.takeProposal.bind(bob);
  let early;
  bob.takeProposal = (...args) =>
    setTimeout(() => {
      early = bob.early.get('alice')?.signals.map(({ type }) => type);
      takeProposal(...args);
    }, 700);
  const outcomes = await Promise.all(peers.map((peer) => peer.run()));
  await close();
  assert.deepEqual(outcomes.map(({ status }) => status), ['done', 'done', 'done']);
  assert.deepEqual([...new Set(early)], ['offer', 'ice-candidate']);
});

test('a peer that comes last finds the session', async () => {
  const creator = start('peer.mjs', createArgs(server.url, 'alice', NAMES, 2));
  const bob = start('peer.mjs', joinArgs(server.url, 'bob'));
  await Promise.all([creator.waitFor('registered'), bob.waitFor('registered')]);
  const carol = start('peer.mjs', joinArgs(server.url, 'carol'));
  assert.deepEqual(await Promise.all([creator.exited, bob.exited, carol.exited]), [0, 0, 0]);
});

test('acknowledgements are given to who asks for them', async () => {
  const { peers, codes } = await runThree({ alice: ['--ask-acks'] });
  assert.deepEqual(codes, { alice: 0, bob: 0, carol: 0 }, logs(peers));
  const acked = peers.alice.events.filter(({ event }) => event === 'acked');
  for (const type of ['mesh_ready', 'commitment', 'ready', 'share']) {
    assert.deepEqual(acked.filter((a) => a.type === type).map((a) => a.peer_id).sort(), ['bob', 'carol'], type);
  }
});

const BLAMED = {
  'commitment-bad-proof': 'bad_proof_of_knowledge',
  'commitment-two-different': 'conflicting_message',
  'share-wrong': 'bad_share',
  'wrong-pubkey': 'pubkey_mismatch',
};
for (const [tamper, reason] of Object.entries(BLAMED)) {
  test(`${tamper}: the others abort and name the culprit`, async () => {
    const { peers, codes } = await runThree({ bob: ['--tamper', tamper] });
    for (const id of ['alice', 'carol']) {
      assert.equal(codes[id], 4, logs(peers));
      assert.equal(last(peers[id]).event, 'aborted');
      assert.equal(last(peers[id]).peer_id, 'bob', logs(peers));
      assert.ok(last(peers[id]).reason.startsWith(reason), logs(peers));
    }
  });
}

test('commitment-twice does no harm', async () => {
  const { peers, codes } = await runThree({ bob: ['--tamper', 'commitment-twice'] });
  assert.deepEqual(codes, { alice: 0, bob: 0, carol: 0 }, logs(peers));
});

test('silence runs into the time limit, which names who was silent', async () => {
  const { url, close } = await startServer();
  const [alice, bob, carol] = NAMES.map(
    (peerId) =>
      new BaselinePeer({
        server: url, peerId,
        create: peerId === 'alice' ? { participants: NAMES, threshold: 2 } : undefined,
        tamper: peerId === 'bob' ? tamperNamed('no-commitment') : undefined,
      }),
  );
  const outcomes = [alice, bob, carol].map((peer) => peer.run());
  while (![alice, carol].every(({ session }) => session?.missing().join() === 'bob' && /commitment/.test(session.step))) {
    await sleep(20);
  }
  for (const peer of [alice, bob, carol]) peer.timeOut(); // rather than wait for it
  const [first, , third] = await Promise.all(outcomes);
  await close();
  for (const { status, step, missing } of [first, third]) {
    assert.deepEqual([status, step, missing], ['timed_out', 'waiting for commitment', ['bob']]);
  }
});

test('a peer that dies before it sent its shares leaves the others waiting', async () => {
  const { peers, codes } = await runThree({ bob: ['--die-before', 'share'], timeout: 15 });
  assert.deepEqual(codes, { alice: 5, bob: 'SIGKILL', carol: 5 }, logs(peers));
  for (const id of ['alice', 'carol']) assert.deepEqual(last(peers[id]).missing, ['bob']);
});

test('a peer that dies once it confirmed the key does no harm', async () => {
  const { peers, codes } = await runThree({ bob: ['--die-after', 'wallet_created'] });
  assert.deepEqual(codes, { alice: 0, bob: 'SIGKILL', carol: 0 }, logs(peers));
});

test('a declined proposal ends the session of who proposed it', async () => {
  const creator = start('peer.mjs', createArgs(server.url, 'alice', ['alice', 'dave'], 2, '--session-id', 'one'));
  const dave = start('peer.mjs', joinArgs(server.url, 'dave', '--session-id', 'two'));
  assert.equal(await creator.exited, 4);
  assert.deepEqual([last(creator).peer_id, last(creator).reason], ['dave', 'declined: not the expected session']);
  assert.equal((await dave.waitFor('declined')).peer_id, 'alice');
  dave.stop();
});

test('a lost server, a taken id, no session in time and bad options have exit codes of their own', async () => {
  const own = await startServerProcess();
  const peer = start('peer.mjs', joinArgs(own.url, 'erin'));
  await peer.waitFor('registered');
  const twin = start('peer.mjs', joinArgs(own.url, 'erin'));
  assert.equal(await twin.exited, 4);
  assert.match(last(twin).reason, /registration refused/);
  own.stop();
  assert.equal(await peer.exited, 3);
  assert.equal(await start('peer.mjs', joinArgs('ws://127.0.0.1:1/', 'erin')).exited, 3);
  const waiting = await startServerProcess();
  assert.equal(await start('peer.mjs', joinArgs(waiting.url, 'erin', '--timeout', '1')).exited, 5);
  waiting.stop();
  assert.equal(await start('peer.mjs', joinArgs('http://127.0.0.1:1/', 'erin')).exited, 2);
  assert.equal(await start('peer.mjs', joinArgs(own.url, 'erin', '--tamper', 'nonsense')).exited, 2);
});
