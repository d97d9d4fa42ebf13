// Command-line nodes among themselves: who comes first, and how every way to fail ends.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { aborts, allKeep, allMade } from "./lib/agree.mjs";
import { scenario } from "./lib/stage.mjs";
import { eventually, timed } from "./lib/wait.mjs";

/** A port where nothing listens. */
const NOBODY = { url: "ws://127.0.0.1:1/" };

describe("a key among command-line nodes", () => {
  scenario("seven nodes make a 5-of-7 key, three of them come late", async (stage) => {
    const server = await stage.server();
    // Sorted by bytes, mpc-10 stands before mpc-2: all must count the same way.
    const names = ["mpc-1", "mpc-2", "mpc-3", "mpc-10", "Mpc", "mpc.4", "mpc_5"];
    const [creator, ...joiners] = names;
    const nodes = joiners.slice(0, 3).map((name) => stage.join(server, name));
    await Promise.all(nodes.map((node) => node.until("registered")));
    nodes.unshift(stage.create(server, creator, names, 5));
    await nodes[0].until("proposed");
    nodes.push(...joiners.slice(3).map((name) => stage.join(server, name)));
    const made = await allMade(nodes, { participants: names, threshold: 5 });
    await allKeep(stage, names, made);
  });

  scenario("who proposes may come first, and the others seconds later", async (stage) => {
    const server = await stage.server();
    const names = ["alice", "bob", "carol"];
    const alice = stage.create(server, "alice", names, 2, "--session-id", "early-bird");
    await alice.until("proposed");
    await sleep(1500);
    const bob = stage.join(server, "bob");
    await alice.until({ event: "peer_connected", peer_id: "bob" });
    await sleep(1500);
    const carol = stage.join(server, "carol", "--session-id", "early-bird");
    const made = await allMade([alice, bob, carol], { participants: names, threshold: 2 });
    assert.equal(made.session_id, "early-bird");
  });

  scenario("each node tells each step once", async (stage) => {
    const server = await stage.server();
    const names = ["alice", "bob", "carol"];
    const bob = stage.join(server, "bob");
    const carol = stage.join(server, "carol");
    await Promise.all([bob.until("registered"), carol.until("registered")]);
    const alice = stage.create(server, "alice", names, 3);
    await allMade([alice, bob, carol], { participants: names, threshold: 3 });
    for (const node of [alice, bob, carol]) {
      const told = (/** @type {string} */ event) => node.all({ event });
      for (const once of ["registered", "proposed", "mesh_ready", "wallet_created"]) {
        assert.equal(told(once).length, 1, `${node.name}: ${once}`);
      }
      assert.deepEqual(told("round").map(({ round }) => round), [1, 2]);
      const others = names.filter((name) => name !== node.name);
      const connected = told("peer_connected");
      assert.deepEqual(connected.map(({ peer_id }) => peer_id).sort(), others);
      // Each of them speaks the extensions, and so proves who it is, by whichever carrier is there first.
      assert.ok(connected.every(({ carrier, verified }) => ["direct", "relay"].includes(carrier) && verified));
      const direct = [...connected, ...told("carrier")].filter(({ carrier }) => carrier === "direct");
      assert.deepEqual([...new Set(direct.map(({ peer_id }) => peer_id))].sort(), others, `${node.name}: direct`);
      const accepted = told("accepted").map(({ peer_id }) => peer_id).sort();
      assert.deepEqual(accepted, node === alice ? others : names, `${node.name}: accepted`);
    }
  });
});

describe("usage errors end with 2, and say what to do", { concurrency: 2 }, () => {
  scenario("nobody is taken unverified without --allow-unverified", async (stage) => {
    const server = await stage.server();
    const where = ["--server", server.url, "--peer-id", "bob", ...stage.local("bob")];
    const joining = stage.run("join", ...where);
    await eventually(10, "bob to wait", async () => (await stage.peersAt(server)).includes("bob"));
    const alice = stage.create(server, "alice", ["alice", "bob"], 2);
    const { code, stderr } = await joining;
    assert.equal(code, 2, stderr);
    assert.match(stderr, /whoever runs the signaling server could pose/);
    assert.match(stderr, /--allow-unverified/);
    await aborts(alice, { code: 4, peer: "bob" });
  });

  /** @type {Record<string, [[string, string], RegExp]>} */
  const BAD = {
    "a threshold of 1": [["alice,bob", "1"], /threshold of 1/],
    "a threshold of 0": [["alice,bob", "0"], /threshold of 0/],
    "a threshold above the number of participants": [["alice,bob", "3"], /threshold of 3.*use 2 to 2/],
    "a participant listed twice": [["alice,bob,bob", "2"], /bob is listed twice/],
    "oneself not among the participants": [["bob,carol", "2"], /alice is not among the participants/],
    "a participant that is no peer id": [["alice,b b", "2"], /b b/],
    "one participant": [["alice", "2"], /1 participants?: a session takes 2 to 64/],
    "65 participants": [[["alice", ...Array(64).keys()].join(), "2"], /65 participants: a session takes 2 to 64/],
  };
  scenario("proposals that nobody could accept", async (stage) => {
    const server = await stage.server();
    for (const [what, [[participants, threshold], says]] of Object.entries(BAD)) {
      const proposal = ["--participants", participants, "--threshold", threshold];
      const { code, stderr } = await stage.run("create", ...stage.flags(server, "alice"), ...proposal);
      assert.equal(code, 2, `${what}: ${stderr}`);
      assert.match(stderr, says, what);
    }
  });

  scenario("arguments that make no sense", async (stage) => {
    const server = await stage.server();
    const join = (/** @type {string[]} */ ...words) => stage.run("join", ...stage.local("x"), "--allow-unverified", ...words);
    /** @type {[string[], RegExp][]} */
    const BAD = [
      [["--server", server.url, "--peer-id", "a b"], /a b/],
      [["--server", server.url, "--peer-id", "a".repeat(65)], /64/],
      [["--server", "http://127.0.0.1:1/", "--peer-id", "a"], /use ws:\/\/HOST:PORT/],
      [["--server", server.url], /--peer-id/],
      [["--server", server.url, "--peer-id", "a", "--timeout", "0"], /--timeout/],
      [["--server", server.url, "--peer-id", "a", "--ice-server", "turn:x"], /stun:HOST:PORT/],
      [["--server", server.url, "--peer-id", "a", "--nonsense"], /--nonsense/],
    ];
    for (const [words, says] of BAD) {
      const { code, stderr } = await join(...words);
      assert.equal(code, 2, `${words}: ${stderr}`);
      assert.match(stderr, says);
    }
  });
});

// These wait most of their time, so they do it together.
describe("somebody does not come, dies or leaves, and is named", { concurrency: 8 }, () => {
  scenario("a server that is not there: 3", async (stage) => {
    for (const node of [stage.join(NOBODY, "bob"), stage.create(NOBODY, "alice", ["alice", "bob"], 2)]) {
      const { reason } = await node.until("server_lost");
      assert.match(reason, /cannot be reached/);
      assert.equal(await node.exit(), 3);
    }
    const { code, stderr } = await stage.run("peers", "--server", NOBODY.url);
    assert.equal(code, 3);
    assert.match(stderr, /cannot be reached/);
  });

  scenario("a server that dies while a node waits for a proposal: 3", async (stage) => {
    const server = await stage.server();
    const bob = stage.join(server, "bob");
    await bob.until("registered");
    server.signal("SIGKILL");
    await bob.until("server_gone");
    assert.equal(await bob.exit(), 3);
  });

  scenario("a server that dies while a session is being joined: 3", async (stage) => {
    const server = await stage.server();
    const bob = stage.join(server, "bob");
    await bob.until("registered");
    const alice = stage.create(server, "alice", ["alice", "bob", "carol"], 2);
    await alice.until({ event: "peer_connected", peer_id: "bob" });
    server.signal("SIGKILL");
    for (const { kind, reason } of await Promise.all([alice, bob].map((node) => aborts(node, { code: 3 })))) {
      assert.equal(kind, "server_lost");
      assert.match(reason, /signaling server went away/);
    }
  });

  scenario("a participant that never comes is named: 5", async (stage) => {
    const server = await stage.server();
    const names = ["alice", "bob", "carol"];
    const bob = stage.join(server, "bob");
    await bob.until("registered");
    const alice = stage.create(server, "alice", names, 2, "--timeout", "6");
    await alice.until({ event: "peer_connected", peer_id: "bob" });
    const { reason } = await aborts(alice, { code: 5, peer: "carol" });
    assert.match(reason, /timed out after \d+ s waiting for carol/);
    // The other one hears of it at once, and does not take it for the fault of who told.
    await aborts(bob, { code: 5, peer: "carol" }, 5);
  });

  scenario("no proposal comes: 5", async (stage) => {
    const server = await stage.server();
    const bob = stage.join(server, "bob", "--timeout", "2");
    const { reason } = await aborts(bob, { code: 5 });
    assert.match(reason, /no proposal came/);
  });

  for (const [dies, event] of [["bob", "accepted"], ["bob", "peer_connected"], ["dave", "peer_connected"]]) {
    scenario(`${dies} is killed after its ${event}, and is named: 4`, async (stage) => {
      const server = await stage.server();
      const names = ["alice", "bob", "carol", "dave"]; // carol never comes
      const joiners = ["bob", "dave"].map((name) => stage.join(server, name));
      await Promise.all(joiners.map((node) => node.until("registered")));
      const alice = stage.create(server, "alice", names, 2);
      const [victim, other] = dies === "bob" ? joiners : joiners.toReversed();
      await Promise.all([alice, other].map((node) => node.until({ event: "peer_connected", peer_id: dies })));
      await victim.until(event);
      victim.signal("SIGKILL");
      for (const node of [alice, other]) {
        const { reason } = await aborts(node, { code: 4, peer: dies });
        assert.match(reason, new RegExp(dies));
      }
    });
  }

  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
    scenario(`${signal} to one node ends the others at once, with a reason: 4`, async (stage) => {
      const server = await stage.server();
      const bob = stage.join(server, "bob");
      await bob.until("registered");
      const alice = stage.create(server, "alice", ["alice", "bob", "carol"], 2);
      await Promise.all([
        alice.until({ event: "peer_connected", peer_id: "bob" }),
        bob.until({ event: "peer_connected", peer_id: "alice" }),
      ]);
      bob.signal(signal);
      const seconds = await timed(aborts(alice, { code: 4, peer: "bob" }, 10));
      assert.ok(seconds < 5, `took ${seconds} s`);
      assert.match(alice.all({ event: "aborted" })[0].reason, /bob/);
      await aborts(bob, { code: 4 }, 10);
    });
  }

  scenario("a peer id that is taken: 1", async (stage) => {
    const server = await stage.server();
    await stage.join(server, "bob").until("registered");
    const flags = ["--server", server.url, "--peer-id", "bob", ...stage.local("another bob"), "--json"];
    const twin = stage.start("another bob", "join", ...flags);
    assert.equal(await twin.exit(), 1);
    assert.match((await twin.until("server_refused")).reason, /bob/);
  });

  scenario("the same node, started again, takes over its own peer id: the first ends with 1", async (stage) => {
    const server = await stage.server();
    const first = stage.join(server, "bob");
    await first.until("registered");
    const second = stage.join(server, "bob");
    await second.until("registered");
    assert.equal(await first.exit(), 1);
    assert.match((await first.until("server_refused")).reason, /taken over/);
    assert.deepEqual(await stage.peersAt(server), ["bob"]);
  });
});

describe("the other commands", { concurrency: 2 }, () => {
  scenario("peers lists who is there", async (stage) => {
    const server = await stage.server();
    assert.deepEqual((await stage.run("peers", "--server", server.url, "--json")).events[0].peers, []);
    const names = ["bob", "carol"];
    await Promise.all(names.map((name) => stage.join(server, name).until("registered")));
    const plain = await stage.run("peers", "--server", server.url);
    assert.deepEqual([plain.code, plain.stdout], [0, "bob\ncarol"]);
    assert.deepEqual((await stage.run("peers", "--server", server.url, "--json")).events[0].peers, names);
  });

  for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT"])) {
    scenario(`serve ends with 0 on ${signal}, with nodes connected`, async (stage) => {
      const server = await stage.server();
      await stage.join(server, "bob").until("registered");
      assert.ok((await fetch(new URL("healthz", server.page))).ok);
      server.signal(signal);
      assert.equal(await server.exit(10), 0);
    });
  }

  scenario("the help of each command shows an example", async (stage) => {
    for (const words of [["serve"], ["create"], ["join"], ["peers"], ["wallets"], ["wallets", "list"], ["wallets", "show"]]) {
      const { code, stdout } = await stage.run(...words, "--help");
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`Example:\\n  frostmesh ${words.join(" ")}`));
    }
    assert.match((await stage.run("--help")).stdout, /Exit codes:/);
  });
});
