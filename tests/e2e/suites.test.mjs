// Which signatures a key makes: chosen at creation, agreed on by all, and what the world then knows the key as.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after } from "node:test";

import { allMade } from "./lib/agree.mjs";
import { online, shared } from "./lib/extension.mjs";
import { scenario } from "./lib/stage.mjs";

const installed = shared();
after(() => installed.close());

const sha256 = (/** @type {string | Uint8Array} */ data) => createHash("sha256").update(data).digest("hex");

scenario("a key for Taproot and Nostr, made by command-line nodes, and where the world knows it", async (stage) => {
  const server = await stage.server();
  const bob = stage.join(server, "bob");
  await bob.until("registered");
  const alice = stage.create(server, "alice", ["alice", "bob"], 2, "--suite", "secp256k1-tr");
  const made = await allMade([alice, bob], { participants: ["alice", "bob"], threshold: 2 });
  assert.equal(made.suite, "secp256k1-tr");
  assert.equal(bob.all({ event: "proposed" })[0].suite, "secp256k1-tr");
  const { code, events } = await stage.run("address", made.pubkey.slice(0, 12), ...stage.local("bob"), "--json");
  assert.equal(code, 0);
  assert.equal(events[0].x_only, made.pubkey.slice(2));
  assert.match(events[0].bitcoin, /^bc1p[0-9a-z]{58}$/);
  assert.match(events[0].testnet, /^tb1p[0-9a-z]{58}$/);
  assert.match(events[0].npub, /^npub1[0-9a-z]{58}$/);
});

scenario("a key for contracts: its coordinates, and a warning that it is no account", async (stage) => {
  const server = await stage.server();
  const bob = stage.join(server, "bob");
  await bob.until("registered");
  const alice = stage.create(server, "alice", ["alice", "bob"], 2);
  const { pubkey, suite } = await allMade([alice, bob], { participants: ["alice", "bob"], threshold: 2 });
  assert.equal(suite, "secp256k1");
  const { stdout } = await stage.run("address", pubkey, ...stage.local("alice"));
  assert.ok(stdout.includes(`px            0x${pubkey.slice(2)}`), stdout);
  assert.match(stdout, /no Ethereum account/);
  assert.equal((await stage.run("address", "02ffff", ...stage.local("alice"))).code, 6);
});

scenario("the extension proposes a key for Taproot and Nostr; everyone sees which it is", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const cli = stage.join(server, "cli");
  await cli.until("registered");
  await popup.at("new-session").click();
  await popup.at("new-suite").selectOption("secp256k1-tr");
  await popup.picture("suite-choice");
  await popup.at("new-session").click();
  await popup.propose({ participants: ["cli"], threshold: 2, sessionId: "s" });
  const { pubkey, suite } = await allMade([cli], { participants: ["browser", "cli"], threshold: 2 });
  assert.equal(suite, "secp256k1-tr");
  assert.match(await popup.session("s").innerText(), /BIP-340, for Bitcoin Taproot and Nostr/);
  assert.match(await (await popup.wallet(pubkey)).innerText(), /BIP-340/);
  await popup.picture("suite-wallet");
  popup.isClean();
});

scenario("the id of a Nostr event is that of everyone else", async (stage) => {
  const pubkey = sha256("author");
  for (const content of ["hello", "", "a\n\"\\\r\t\b\f\u0001\u007f\u2028 é 🦀", "</script>"]) {
    const event = { pubkey, created_at: 1_700_000_000, kind: 1, tags: [["t", content], []], content };
    const file = await stage.file("event.json", JSON.stringify(event, null, 2));
    const args = ["--suite", "secp256k1-tr", "--pubkey", pubkey, "--signature", "00".repeat(64), "--nostr-event", file];
    const { code, events } = await stage.run("verify", ...args, "--json");
    assert.equal(code, 1);
    const { created_at, kind, tags } = event;
    assert.equal(events[0].digest, sha256(JSON.stringify([0, pubkey, created_at, kind, tags, content])));
  }
});
