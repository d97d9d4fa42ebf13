// What must be so once a key is made.

/** @import { Event, Made } from "./types.js" */
/** @import { Process } from "./process.mjs" */
/** @import { Stage } from "./stage.mjs" */

import assert from "node:assert/strict";

/**
 * Waits for `wallet_created` of every process and its exit code 0; all must tell the same. Returns that.
 * @param {Process[]} processes
 * @param {Made} made
 * @param {number} [seconds]
 */
export async function allMade(processes, { participants, threshold }, seconds) {
  const made = await Promise.all(processes.map((each) => each.until("wallet_created", seconds)));
  const sorted = [...participants].sort((a, b) => (a < b ? -1 : 1));
  for (const [i, event] of made.entries()) {
    const { pubkey, session_id, identifier, total } = event;
    assert.match(pubkey, /^0[23][0-9a-f]{64}$/);
    assert.deepEqual({ pubkey, session_id }, { pubkey: made[0].pubkey, session_id: made[0].session_id });
    assert.deepEqual([event.threshold, total, event.participants], [threshold, sorted.length, sorted]);
    assert.equal(sorted[identifier - 1], processes[i].name, "the identifier is the place in the sorted list");
  }
  const codes = await Promise.all(processes.map((each) => each.exit()));
  assert.deepEqual(codes, codes.map(() => 0), "exit codes");
  return made[0];
}

/**
 * Each command-line node stores that one key, confirmed.
 * @param {Stage} stage
 * @param {string[]} names
 * @param {Event} key the event `wallet_created`
 */
export async function allKeep(stage, names, { pubkey, session_id, threshold, participants }) {
  for (const name of names) {
    const [wallet, ...others] = await stage.walletsOf(name);
    assert.deepEqual(others, [], `${name} has one wallet`);
    assert.equal(wallet?.pubkey, pubkey, `the wallet of ${name}`);
    assert.deepEqual([wallet.status, wallet.verified], ["active", false]);
    assert.deepEqual([wallet.session_id, wallet.threshold, wallet.participants], [session_id, threshold, participants]);
  }
}

/**
 * Waits for `aborted` and the exit code; returns the event.
 * @param {Process} process
 * @param {{ code: number, peer?: string }} wanted
 * @param {number} [seconds]
 */
export async function aborts(process, { code, peer }, seconds) {
  const event = await process.until("aborted", seconds);
  assert.equal(await process.exit(), code, `exit code of ${process.name}`);
  if (peer !== undefined) assert.equal(event.peer_id, peer, `${process.name} names the culprit`);
  return event;
}
