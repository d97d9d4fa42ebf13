// Tests of server.mjs: section 1 of the protocol as one socket after another sees it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { startServer } from './server.mjs';
import { startServerProcess } from './testing.mjs';

let server;
before(async () => (server = await startServer()));
after(() => server.close());

/** A raw client: `send`, `next()` (the next message) and `close`. */
async function connect(id) {
  const socket = new WebSocket(server.url);
  const got = [];
  const waiting = [];
  socket.on('message', (text) => {
    const message = JSON.parse(text);
    if (waiting.length) waiting.shift()(message);
    else got.push(message);
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const client = {
    send: (message) => socket.send(typeof message === 'object' && !Buffer.isBuffer(message) ? JSON.stringify(message) : message),
    next: () => new Promise((resolve) => (got.length ? resolve(got.shift()) : waiting.push(resolve))),
    isOpen: () => socket.readyState === WebSocket.OPEN,
    close: () => new Promise((resolve) => socket.once('close', resolve).close()),
  };
  client.list = async () => {
    client.send({ type: 'list_peers' });
    return client.next();
  };
  if (id) client.send({ type: 'register', peer_id: id });
  return client;
}

test('register has no answer, list_peers has one, relay is stamped', async () => {
  const [a, b] = [await connect('cli1'), await connect('cli2')];
  await a.list();
  assert.deepEqual(await b.list(), { type: 'peers', peers: ['cli1', 'cli2'] });
  a.send({ type: 'relay', to: 'cli2', from: 'mallory', data: { type: 'x', deep: [1, { y: 'ü' }] } });
  assert.deepEqual(await b.next(), { type: 'relay', from: 'cli1', data: { type: 'x', deep: [1, { y: 'ü' }] } });
  await a.close();
  while ((await b.list()).peers.length > 1);
  b.send({ type: 'relay', to: 'cli1', data: {} });
  assert.equal((await b.next()).type, 'error');
  await b.close();
});

test('every mistake gets an error, and the socket goes on', async () => {
  const other = await connect('other');
  await other.list();
  const client = await connect();
  const mistakes = [
    { type: 'relay', to: 'other', data: {} }, // not registered
    { type: 'register', peer_id: '' },
    { type: 'register', peer_id: 'ä' },
    { type: 'register', peer_id: 'x'.repeat(65) },
    { type: 'register', peer_id: 7 },
    { type: 'register', peer_id: 'other' }, // taken
    '', '{', '[]', 'null', '{"type":1}',
    Buffer.from('{"type":"list_peers"}'), // binary
    `{"type":"list_peers","pad":"${'x'.repeat(70_000)}"}`,
  ];
  for (const mistake of mistakes) {
    client.send(mistake);
    const answer = await client.next();
    assert.equal(answer.type, 'error', JSON.stringify(mistake).slice(0, 80));
    assert.equal(typeof answer.error, 'string');
  }
  client.send({ type: 'register', peer_id: 'me' });
  client.send({ type: 'register', peer_id: 'me' }); // a repeat is no mistake
  client.send({ type: 'some_extension' }); // nor is what the server does not know
  assert.deepEqual((await client.list()).peers, ['me', 'other']);
  for (const mistake of [
    { type: 'register', peer_id: 'me2' },
    { type: 'relay', to: 'me', data: {} },
    { type: 'relay', to: 'nobody', data: {} },
    { type: 'relay', to: 'toString', data: {} },
    { type: 'relay', to: 'other' },
    { type: 'relay', to: 'other', data: 'text' },
  ]) {
    client.send(mistake);
    assert.equal((await client.next()).type, 'error', JSON.stringify(mistake));
  }
  assert.ok(client.isOpen());
  assert.deepEqual((await other.list()).peers, ['me', 'other']); // and nothing of it came to the other
  await Promise.all([client.close(), other.close()]);
});

test('an id is free again once its socket is gone', async () => {
  for (let i = 0; i < 3; i++) {
    const client = await connect('again');
    assert.deepEqual((await client.list()).peers, ['again']);
    await client.close();
    const watcher = await connect();
    while ((await watcher.list()).peers.length);
    await watcher.close();
  }
});

test('the command prints where it listens', async () => {
  const child = await startServerProcess();
  assert.match(child.url, /^ws:\/\/127\.0\.0\.1:\d+\/$/);
  child.stop();
});
