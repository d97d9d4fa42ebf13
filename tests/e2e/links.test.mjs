// Command-line nodes that prove who they are, also when whoever runs the signaling server is evil. Each test is named after
// its threat. What a malicious participant can do is in tests/links.rs, where its software can be rewritten.

/** @import { Process } from "./lib/process.mjs" */
/** @import { Stage } from "./lib/stage.mjs" */
/** @import { Event, Relayed, Server } from "./lib/types.js" */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe } from "node:test";

import { aborts, allMade } from "./lib/agree.mjs";
import { EvilServer } from "./lib/evil.mjs";
import { Middle } from "./lib/middle.mjs";
import { scenario } from "./lib/stage.mjs";

const NAMES = ["alice", "bob", "carol"];
const TWO_OF_THREE = { participants: NAMES, threshold: 2 };

/**
 * A node that asks for proof.
 * @param {Stage} stage
 * @param {Server} server
 * @param {string} name
 * @param {string} command
 * @param {string[]} more
 */
function proven(stage, server, name, command, ...more) {
  return stage.startAsked(name, command, "--server", server.url, "--peer-id", name, ...stage.local(name), "--json", "-v", ...more);
}

/**
 * Alice proposes to Bob and Carol; strangers are taken at their word.
 * @param {Stage} stage
 * @param {Server} server
 * @param {string[]} more
 */
async function three(stage, server, ...more) {
  const joiners = ["bob", "carol"].map((name) => proven(stage, server, name, "join", "--trust-first-use", ...more));
  await Promise.all(joiners.map((node) => node.until("registered")));
  const proposal = ["--participants", NAMES.join(), "--threshold", "2", "--trust-first-use", ...more];
  return [proven(stage, server, "alice", "create", ...proposal), ...joiners];
}

/**
 * What a node of that name keeps, by `wallets verify`.
 * @param {Stage} stage
 * @param {string} name
 * @param {Event} event
 */
async function verify(stage, name, { pubkey }) {
  return stage.run("wallets", "verify", pubkey, ...stage.local(name), "--json");
}

/**
 * Nobody has a key; every node ended by itself, with one of these kinds.
 * @param {Stage} stage
 * @param {Process[]} nodes
 * @param {string[]} kinds
 */
async function nobodyHasAKey(stage, nodes, kinds) {
  for (const node of nodes) {
    const code = await node.exit();
    assert.ok(code === 4 || code === 5, `${node.name} ended with ${code}`);
    const [aborted] = node.all({ event: "aborted" });
    if (aborted.kind) assert.ok(kinds.includes(aborted.kind), `${node.name}: ${JSON.stringify(aborted)}`);
    assert.deepEqual(await stage.walletsOf(node.name), [], `${node.name} has a key`);
  }
}

describe("nodes that prove who they are", { concurrency: 2 }, () => {
  for (const carrier of ["auto", "direct", "relay"]) {
    scenario(`a certified wallet, carrier ${carrier}`, async (stage) => {
      const server = await stage.server();
      const nodes = await three(stage, server, "--carrier", carrier);
      const made = await allMade(nodes, TWO_OF_THREE);
      assert.equal(made.verified, false, "strangers were taken at their word, and the wallet says so");
      for (const node of nodes) {
        const carriers = [...node.all({ event: "peer_connected" }), ...node.all({ event: "carrier" })].map((e) => e.carrier);
        if (carrier !== "auto") assert.deepEqual([...new Set(carriers)], [carrier]);
        const { code, events } = await verify(stage, node.name, made);
        assert.equal(code, 0);
        assert.deepEqual(events[0].participants.map((/** @type {Event} */ { peer_id }) => peer_id), NAMES);
      }
    });
  }

  scenario("an invite is all that a guest needs", async (stage) => {
    const server = await stage.server();
    const invitation = ["--total", "3", "--threshold", "2", "--name", "Treasury"];
    const alice = proven(stage, server, "alice", "create", ...invitation);
    const { uri } = await alice.until("invite");
    assert.match(uri, /^frostmesh:/);
    const bob = stage.start("bob", "join", uri, "--peer-id", "bob", ...stage.local("bob"), "--json");
    const carol = stage.start("carol", "join", uri, "--peer-id", "carol", ...stage.local("carol"), "--json");
    const made = await allMade([alice, bob, carol], TWO_OF_THREE);
    assert.equal(made.verified, true);
    assert.equal((await verify(stage, "bob", made)).code, 0);
    const contacts = (await stage.run("contacts", "list", ...stage.local("bob"), "--json")).events;
    assert.deepEqual(contacts.map(({ name, verified }) => [name, verified]), [["alice", true], ["carol", true]]);
    const late = stage.start("late", "join", uri, ...stage.local("late"), "--json", "--timeout", "3");
    assert.equal(await late.exit(), 5, "the session is full");
  });

  scenario("the words are the same for all, and nothing goes on before all have said so", async (stage) => {
    const server = await stage.server();
    const bob = proven(stage, server, "bob", "join");
    await bob.until("registered");
    const alice = proven(stage, server, "alice", "create", "--participants", "alice,bob", "--threshold", "2");
    const [one, other] = await Promise.all([alice.until("words"), bob.until("words")]);
    assert.equal(one.words.length, 4);
    assert.deepEqual(one.words, other.words);
    alice.type("yes");
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.deepEqual(bob.all({ event: "round", round: 2 }), []);
    bob.type("yes");
    const made = await allMade([alice, bob], { participants: ["alice", "bob"], threshold: 2 });
    assert.equal(made.verified, true);
    // Next time they know each other.
    const again = proven(stage, server, "bob", "join");
    await again.until("registered");
    const third = proven(stage, server, "alice", "create", "--participants", "alice,bob", "--threshold", "2");
    assert.equal((await allMade([third, again], { participants: ["alice", "bob"], threshold: 2 })).verified, true);
    assert.deepEqual(third.all({ event: "words" }), []);
  });

  scenario("words that differ end the session for all", async (stage) => {
    const server = await stage.server();
    const bob = proven(stage, server, "bob", "join");
    await bob.until("registered");
    const alice = proven(stage, server, "alice", "create", "--participants", "alice,bob", "--threshold", "2");
    await Promise.all([alice.until("words"), bob.until("words")]);
    alice.type("no");
    assert.match((await aborts(alice, { code: 4 })).reason, /words differ/);
    await aborts(bob, { code: 4, peer: "alice" });
  });

  scenario("an identity that changed is refused with both fingerprints, until the contact is forgotten", async (stage) => {
    const server = await stage.server();
    const two = { participants: ["alice", "bob"], threshold: 2 };
    const create = () => proven(stage, server, "alice", "create", "--participants", "alice,bob", "--threshold", "2", "--trust-first-use");
    const bob = proven(stage, server, "bob", "join", "--trust-first-use");
    await bob.until("registered");
    await allMade([create(), bob], two);
    const [{ fingerprint }] = (await stage.run("identity", ...stage.local("bob"), "--json")).events;
    const flags = ["--server", server.url, "--peer-id", "bob", ...stage.local("impostor"), "--json", "--trust-first-use"];
    const impostor = stage.start("impostor", "join", ...flags);
    await impostor.until("registered");
    const { reason } = await aborts(create(), { code: 4, peer: "bob" });
    const [{ fingerprint: other }] = (await stage.run("identity", ...stage.local("impostor"), "--json")).events;
    assert.ok(reason.includes(fingerprint) && reason.includes(other), reason);
    await impostor.exit();
    assert.equal((await stage.run("contacts", "forget", "bob", ...stage.local("alice"))).code, 0);
    const back = stage.start("impostor", "join", ...flags);
    await back.until("registered");
    const made = await create().until("wallet_created");
    assert.equal((await back.until("wallet_created")).pubkey, made.pubkey);
  });
});

describe("whoever runs the signaling server", { concurrency: 2 }, () => {
  /**
   * All nodes behind a server that does that.
   * @param {Stage} stage
   * @param {(relayed: Relayed) => any} tamper
   * @param {string[]} more
   * @returns {Promise<[Process[], EvilServer]>}
   */
  const behind = async (stage, tamper, ...more) => {
    const evil = stage.add(await EvilServer.start(await stage.server(), tamper));
    return [await three(stage, evil, ...more), evil];
  };
  /** @param {Relayed} relayed */
  const pass = ({ to, data }) => [{ to, data }];

  scenario("sees no plaintext", async (stage) => {
    const [nodes, evil] = await behind(stage, pass, "--carrier", "relay");
    const { pubkey } = await allMade(nodes, TWO_OF_THREE);
    const open = ["session_proposal", "session_response", "link", "frame"];
    assert.ok(evil.seen.length > 50);
    for (const text of evil.seen) {
      assert.ok(open.includes(JSON.parse(text).type), text);
      assert.ok(!text.includes(pubkey) && !/"(commitment|share|signature|agreement)"/.test(text), text);
    }
  });

  scenario("swaps DTLS fingerprints: WebRTC fails, the links do not", async (stage) => {
    const swap = (/** @type {string} */ sdp) =>
      sdp.replace(/(a=fingerprint:\S+ )(\S+)/g, (_, head, print) => head + print.split(":").reverse().join(":"));
    const [nodes] = await behind(stage, ({ to, data }) => {
      return [{ to, data: data.sdp ? { ...data, sdp: swap(data.sdp) } : data }];
    });
    const made = await allMade(nodes, TWO_OF_THREE);
    assert.equal((await verify(stage, "alice", made)).code, 0);
    for (const node of nodes) assert.deepEqual(node.all({ event: "carrier" }), [], "nothing moved to a channel");
  });

  scenario("lets no WebRTC through: the relay carries everything", async (stage) => {
    const [nodes] = await behind(stage, ({ to, data }) => (data.type === "ice-candidate" ? [] : [{ to, data }]));
    await allMade(nodes, TWO_OF_THREE);
  });

  scenario("terminates WebRTC on both sides and forwards: it sees sealed frames", async (stage) => {
    const middle = stage.add(await Middle.start(await stage.server()));
    // Whether its connections hold is up to it. Whether or not: everyone ends, and it has read nothing.
    const nodes = await three(stage, middle, "--carrier", "direct", "--timeout", "8");
    for (const node of nodes) assert.ok([0, 4, 5].includes(Number(await node.exit())), `${node.name} ended with ${node.ended}`);
    const keys = nodes.flatMap((node) => node.all({ event: "wallet_created" })).map(({ pubkey }) => pubkey);
    assert.ok(middle.heard.length > 10, `${middle.heard.length} messages went through its channels`);
    for (const text of [...middle.heard, ...middle.relayed]) {
      const { type } = JSON.parse(text);
      assert.ok(["session_proposal", "session_response", "channel_open", "link", "frame"].includes(type), text);
      assert.ok(!keys.some((key) => text.includes(key)), text);
    }
  });

  scenario("terminates WebRTC on both sides and changes what it forwards: everyone ends with a reason", async (stage) => {
    const change = (/** @type {string} */ text) => text.replace(/"data":"(..)/, (_, byte) => `"data":"${byte === "00" ? "01" : "00"}`);
    const middle = stage.add(await Middle.start(await stage.server(), change));
    await nobodyHasAKey(stage, await three(stage, middle, "--carrier", "direct", "--timeout", "10"), ["link_failed", "timed_out", "peer_lost", "cancelled"]);
  });

  scenario("poses as each to the other from the start: the words differ", async (stage) => {
    const [left, right] = [await stage.server(), await stage.server()];
    // To Alice it is Bob, to Bob it is Alice, each with a node of its own.
    const bob = proven(stage, right, "bob", "join");
    const flags = (/** @type {Server} */ server, /** @type {string} */ as) => ["--server", server.url, "--peer-id", as, "--json", "--trust-first-use", "--timeout", "20"];
    const asBob = stage.start("as bob", "join", ...flags(left, "bob"), ...stage.local("mallory1"));
    await Promise.all([bob.until("registered"), asBob.until("registered")]);
    const proposal = ["--participants", "alice,bob", "--threshold", "2", "--session-id", "s"];
    const asAlice = stage.start("as alice", "create", ...flags(right, "alice"), ...proposal, ...stage.local("mallory2"));
    const alice = proven(stage, left, "alice", "create", ...proposal);
    const [hers, his] = await Promise.all([alice.until("words"), bob.until("words")]);
    assert.notDeepEqual(hers.words, his.words);
    for (const victim of [alice, bob]) victim.type("no");
    await nobodyHasAKey(stage, [alice, bob], ["disagreement"]);
    await Promise.all([asBob.exit(), asAlice.exit()]);
  });

  scenario("swaps peer ids", async (stage) => {
    /** @type {Record<string, string>} */
    const other = { bob: "carol", carol: "bob" };
    const [nodes] = await behind(stage, ({ to, data }) => [{ to: other[to] ?? to, data }], "--timeout", "10");
    await nobodyHasAKey(stage, nodes, ["timed_out", "link_failed", "cancelled", "declined", "conflict", "bad_message", "disagreement"]);
  });

  for (const [does, participants] of [["adds a participant", ["alice", "bob", "carol", "dave"]], ["removes a participant", ["alice", "carol"]]]) {
    scenario(`${does} for some`, async (stage) => {
      const [nodes] = await behind(stage, ({ to, data }) => {
        if (data.type === "session_proposal" && to === "carol") {
          Object.assign(data.payload, { participants, total: participants.length });
        }
        return [{ to, data }];
      }, "--timeout", "10");
      await nobodyHasAKey(stage, nodes, ["disagreement", "timed_out", "cancelled", "link_failed", "declined"]);
    });
  }

  scenario("replays what was relayed in an earlier session", async (stage) => {
    /** @type {Relayed[]} */
    const earlier = [];
    let again = false;
    const evil = stage.add(
      await EvilServer.start(await stage.server(), ({ from, to, data }) => {
        if (!again) earlier.push({ from, to, data });
        const old = again ? earlier.filter((one) => one.from === from && one.to === to).slice(0, 3) : [];
        return [...old, { to, data }].map(({ to, data }) => ({ to, data }));
      }),
    );
    const session = async (/** @type {string} */ name) => allMade(await three(stage, evil, "--carrier", "relay", "--session-id", name), TWO_OF_THREE);
    const first = await session("first");
    again = true;
    const second = await session("second");
    assert.notEqual(second.pubkey, first.pubkey);
  });

  scenario("changes the handshake", async (stage) => {
    const [nodes] = await behind(stage, ({ to, data }) => {
      if (data.type === "link") data.payload.data = data.payload.data.replace(/.$/, (/** @type {string} */ last) => (last === "0" ? "1" : "0"));
      return [{ to, data }];
    });
    await nobodyHasAKey(stage, nodes, ["link_failed", "cancelled", "declined"]);
  });

  scenario("tells different participants different thresholds", async (stage) => {
    const [nodes] = await behind(stage, ({ to, data }) => {
      if (data.type === "session_proposal" && to === "carol") data.payload.threshold = 3;
      return [{ to, data }];
    });
    await nobodyHasAKey(stage, nodes, ["disagreement"]);
  });

  scenario("makes everyone look like a baseline peer", async (stage) => {
    const [nodes] = await behind(stage, ({ to, data }) => {
      delete data.payload?.protocol;
      return [{ to, data }];
    }, "--timeout", "10");
    await nobodyHasAKey(stage, nodes, ["declined", "unverified", "timed_out"]);
  });

  scenario("repeats, replays and reorders what it relays: the key is made all the same", async (stage) => {
    /** @type {Relayed[]} */
    const old = [];
    const [nodes] = await behind(stage, ({ from, to, data }) => {
      const earlier = old.filter((one) => one.from === from).at(-3);
      old.push({ from, to, data });
      const again = earlier ? [{ to: earlier.to, data: earlier.data }] : [];
      return [{ to, data }, ...again, { to, data }];
    }, "--carrier", "relay");
    await allMade(nodes, TWO_OF_THREE);
  });

  scenario("delays everything: the key is made all the same", async (stage) => {
    const evil = stage.add(await EvilServer.start(await stage.server(), pass, 150));
    for (const carrier of ["auto", "relay"]) {
      await allMade(await three(stage, evil, "--carrier", carrier, "--session-id", carrier), TWO_OF_THREE);
    }
  });

  scenario("swallows what is sealed: everyone ends with a reason", async (stage) => {
    const [nodes] = await behind(stage, ({ to, data }) => (data.type === "frame" ? [] : [{ to, data }]), "--carrier", "relay", "--timeout", "10");
    await nobodyHasAKey(stage, nodes, ["timed_out", "peer_lost", "cancelled"]);
  });

  scenario("has an invite changed on its way: the guest cannot come in", async (stage) => {
    const server = await stage.server();
    const alice = proven(stage, server, "alice", "create", "--total", "2", "--threshold", "2", "--timeout", "8");
    const { uri } = await alice.until("invite");
    const forged = uri.replace(/secret=(.)/, (/** @type {string} */ _, /** @type {string} */ first) => `secret=${first === "0" ? "1" : "0"}`);
    const mallory = stage.start("mallory", "join", forged, ...stage.local("mallory"), "--json", "--timeout", "5");
    assert.equal(await mallory.exit(), 5);
    assert.deepEqual(alice.all({ event: "arrived" }), []);
    assert.equal(await alice.exit(), 5);
  });
});

scenario("evidence that somebody shows can be checked by anyone, and nonsense is none", async (stage) => {
  const path = join(stage.folder, "evidence.json");
  await writeFile(path, JSON.stringify({ hello: "world" }));
  const { code, stderr } = await stage.run("evidence", "check", path);
  assert.equal(code, 1);
  assert.match(stderr, /is no evidence/);
});
