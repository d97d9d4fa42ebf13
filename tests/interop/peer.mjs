#!/usr/bin/env node
// A baseline peer on the command line, and the entry point for tests that build peers of their own.
// Prints one JSON object per line. See README.md for the options, the events and the exit codes.

import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BaselinePeer } from './baseline-peer.mjs';
import { TAMPERS, tamperNamed } from './tamper.mjs';
import { isPeerId, isSessionId } from './wire.mjs';

export { BaselinePeer, shareOf } from './baseline-peer.mjs';
export * from './frost.mjs';
export { PeerLink } from './link.mjs';
export { Session, SessionAborted } from './session.mjs';
export { SignalingClient } from './signaling.mjs';
export { TAMPERS, tamperNamed } from './tamper.mjs';

export const EXIT_CODES = { done: 0, usage: 2, server_lost: 3, aborted: 4, timed_out: 5 };

const USAGE = `usage:
  peer.mjs create --server URL --peer-id ID --participants A,B,.. --threshold N [options]
  peer.mjs join   --server URL --peer-id ID [options]
options:
  --session-id S     the session to propose, or the only one to join
  --timeout SECONDS  for everything (60)
  --ask-acks         put a msg_id in every message
  --tamper NAME      misbehave: ${Object.keys(TAMPERS).join(', ')}
  --die-before TYPE  die without a word before the first message of that type
  --die-after TYPE   the same, after the last one
`;

/** Command-line words to the options of BaselinePeer. Throws an Error that says what is wrong. */
export function optionsFromArgs(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      server: { type: 'string' },
      'peer-id': { type: 'string' },
      participants: { type: 'string' },
      threshold: { type: 'string' },
      'session-id': { type: 'string' },
      timeout: { type: 'string', default: '60' },
      'ask-acks': { type: 'boolean', default: false },
      tamper: { type: 'string' },
      'die-before': { type: 'string' },
      'die-after': { type: 'string' },
    },
  });
  const [command] = positionals;
  if (positionals.length !== 1 || !['create', 'join'].includes(command)) throw new Error('create or join?');
  if (!/^wss?:\/\//.test(values.server ?? '')) throw new Error('--server must be a ws:// or wss:// URL');
  if (!isPeerId(values['peer-id'])) throw new Error('--peer-id must be 1 to 64 of A-Z a-z 0-9 . _ -');
  if (values['session-id'] !== undefined && !isSessionId(values['session-id'])) throw new Error('bad --session-id');
  const timeout = Number(values.timeout);
  if (!(timeout > 0 && timeout <= 86_400)) throw new Error('bad --timeout');
  const options = {
    server: values.server,
    peerId: values['peer-id'],
    sessionId: values['session-id'],
    timeoutMs: timeout * 1000,
    askAcks: values['ask-acks'],
    tamper: values.tamper === undefined ? undefined : tamperNamed(values.tamper),
    dieBefore: values['die-before'],
    dieAfter: values['die-after'],
  };
  if (command === 'create') {
    if (!values.participants || !values.threshold) throw new Error('create needs --participants and --threshold');
    options.create = { participants: values.participants.split(','), threshold: Number(values.threshold) };
  } else if (values.participants !== undefined || values.threshold !== undefined) {
    throw new Error('join takes neither --participants nor --threshold');
  }
  return options;
}

async function main() {
  let options;
  try {
    options = optionsFromArgs(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error.message}\n${USAGE}`);
    process.exit(EXIT_CODES.usage);
  }
  const onEvent = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
  const outcome = await new BaselinePeer({ ...options, onEvent }).run();
  process.exit(EXIT_CODES[outcome.status]);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
