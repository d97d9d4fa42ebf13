// Baseline peers that misbehave or die: whoever meets them ends, says why, and names them.

/** @import { Process } from "./lib/process.mjs" */
/** @import { Stage } from "./lib/stage.mjs" */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { aborts, allMade } from "./lib/agree.mjs";
import { scenario } from "./lib/stage.mjs";

const NAMES = ["cli1", "cli2", "mallory"];
const HONEST = ["cli1", "cli2"];

/**
 * A session of cli1, cli2 and mallory, who proposes it or joins.
 * @param {Stage} stage
 * @param {string[]} mallory its arguments
 * @param {{ proposes?: boolean, limits?: Record<string, number> }} [options] time limits by name, in seconds
 */
async function sessionWith(stage, mallory, { proposes = false, limits = {} } = {}) {
  const server = await stage.server();
  const limit = (/** @type {string} */ name) => (name in limits ? ["--timeout", `${limits[name]}`] : []);
  const create = proposes
    ? () => stage.baselineCreate(server, "mallory", NAMES, 2, ...mallory)
    : () => stage.create(server, "cli1", NAMES, 2, ...limit("cli1"));
  const joiners = proposes
    ? HONEST.map((name) => stage.join(server, name, ...limit(name)))
    : [stage.join(server, "cli2", ...limit("cli2")), stage.baselineJoin(server, "mallory", ...mallory)];
  await Promise.all(joiners.map((node) => node.until("registered")));
  const all = [create(), ...joiners];
  return Object.fromEntries(all.map((node) => [node.name, node]));
}

const honest = (/** @type {Record<string, Process>} */ nodes) => HONEST.map((name) => nodes[name]);

/** What each kind is reported as. */
const KINDS = {
  "commitment-truncated": "bad_commitment",
  "commitment-not-on-curve": "bad_commitment",
  "commitment-wrong-degree": "bad_commitment",
  "commitment-bad-proof": "bad_commitment",
  "commitment-two-different": "conflict",
  "share-wrong": "bad_share",
  "share-truncated": "bad_share",
  "wrong-pubkey": "key_mismatch",
};

describe("a peer that sends what it must not is named by all: 4", { concurrency: 2 }, () => {
  for (const [tamper, kind] of Object.entries(KINDS)) {
    const proposes = tamper.endsWith("truncated");
    scenario(`${tamper}${proposes ? ", of the proposer" : ""}`, async (stage) => {
      const nodes = await sessionWith(stage, ["--tamper", tamper], { proposes });
      for (const node of honest(nodes)) {
        const event = await aborts(node, { code: 4, peer: "mallory" });
        assert.equal(event.kind, kind);
        assert.match(event.reason, /mallory/);
        // A key that not all have confirmed is kept apart, if there is one at all.
        const kept = (await stage.walletsOf(node.name)).map(({ status }) => status);
        assert.deepEqual(kept, kind === "key_mismatch" ? ["unconfirmed"] : []);
      }
    });
  }

  scenario("commitment-twice is harmless", async (stage) => {
    const nodes = await sessionWith(stage, ["--tamper", "commitment-twice"]);
    await allMade(Object.values(nodes), { participants: NAMES, threshold: 2 });
  });
});

/**
 * Ends with 4 (its channel is gone) or 5 (it kept silent); either way the dead peer is named.
 * @param {Process} node
 */
async function namesTheDead(node) {
  const { peer_id } = await node.until("aborted", 30);
  const code = await node.exit();
  assert.ok(code === 4 || code === 5, `${node.name} ended with ${code}`);
  assert.equal(peer_id, "mallory");
}

// These wait most of their time.
describe("a peer that falls silent or dies is named in time", { concurrency: 7 }, () => {
  scenario("no-commitment", async (stage) => {
    const nodes = await sessionWith(stage, ["--tamper", "no-commitment"], { limits: { cli1: 10 } });
    for (const node of honest(nodes)) {
      const { reason } = await aborts(node, { code: 5, peer: "mallory" });
      assert.match(reason, /timed out after \d+ s waiting for mallory: their commitments have not come/);
    }
  });

  const TYPES = ["session_response", "channel_open", "mesh_ready", "commitment", "ready", "share", "wallet_created"];
  for (const type of TYPES) {
    scenario(`dies before its ${type}`, async (stage) => {
      const nodes = await sessionWith(stage, ["--die-before", type], { limits: { cli1: 20 } });
      assert.equal(await nodes.mallory.exit(), "SIGKILL");
      await Promise.all(honest(nodes).map(namesTheDead));
      if (type !== "wallet_created") return;
      // All was there but mallory's word for it: the key is kept apart and marked.
      for (const name of HONEST) {
        const wallets = await stage.walletsOf(name);
        assert.deepEqual(wallets.map(({ status }) => status), ["unconfirmed"], name);
        const { stdout } = await stage.run("wallets", "show", wallets[0].pubkey, ...stage.local(name));
        assert.match(stdout, /unconfirmed: .*do not use it/);
      }
    });
  }

  scenario("dies before its session_proposal reached anybody: nobody is bothered", async (stage) => {
    const nodes = await sessionWith(stage, ["--die-before", "session_proposal"], {
      proposes: true,
      limits: { cli1: 10, cli2: 10 },
    });
    assert.equal(await nodes.mallory.exit(), "SIGKILL");
    for (const node of honest(nodes)) {
      const { reason } = await aborts(node, { code: 5 });
      assert.match(reason, /no proposal came/);
    }
  });

  for (const type of ["commitment", "share"]) {
    scenario(`dies after its ${type}`, async (stage) => {
      const nodes = await sessionWith(stage, ["--die-after", type], { limits: { cli1: 20 } });
      assert.equal(await nodes.mallory.exit(), "SIGKILL");
      await Promise.all(honest(nodes).map(namesTheDead));
    });
  }

  scenario("dies after its wallet_created: the key is made", async (stage) => {
    const nodes = await sessionWith(stage, ["--die-after", "wallet_created"]);
    assert.equal(await nodes.mallory.exit(), "SIGKILL");
    await allMade(honest(nodes), { participants: NAMES, threshold: 2 });
  });
});
