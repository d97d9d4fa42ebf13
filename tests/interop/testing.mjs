// Helpers for the tests: start peer.mjs and server.mjs as processes and read the events they print.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = (name) => fileURLToPath(new URL(name, import.meta.url));

/**
 * Starts one of the scripts. Returns `events` (so far), `waitFor(name)` (the first event of that name), `exited` (a
 * promise of the exit code, or the signal) and `stop()`.
 */
export function start(name, args) {
  const child = spawn(process.execPath, [script(name), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const events = [];
  const waiting = [];
  let errors = '';
  child.stderr.on('data', (data) => (errors = (errors + data).slice(-4000)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line);
    events.push(event);
    for (const each of waiting) if (each.name === event.event) each.resolve(event);
  });
  const exited = new Promise((resolve) => {
    child.once('close', (code, signal) => {
      for (const each of waiting) each.reject(new Error(`${name} ended without ${each.name}: ${errors}`));
      resolve(code ?? signal);
    });
  });
  return {
    events,
    exited,
    stderr: () => errors,
    stop: () => child.kill('SIGKILL'),
    waitFor: (wanted) =>
      new Promise((resolve, reject) => {
        const seen = events.find(({ event }) => event === wanted);
        if (seen) return resolve(seen);
        waiting.push({ name: wanted, resolve, reject });
      }),
  };
}

/** Starts a server process and waits for its address. */
export async function startServerProcess() {
  const server = start('server.mjs', ['--listen', '127.0.0.1:0']);
  return { ...server, url: (await server.waitFor('listening')).url };
}

/** The command line of the peer that proposes, and of one that joins. */
export const createArgs = (url, id, participants, threshold, ...more) => [
  'create', '--server', url, '--peer-id', id, '--participants', participants.join(), '--threshold', `${threshold}`, ...more,
];
export const joinArgs = (url, id, ...more) => ['join', '--server', url, '--peer-id', id, ...more];
