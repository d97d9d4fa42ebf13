// Keys at rest on the command line: who may read the files, what damaged ones do, and that no share shows anywhere.

/** @import { Stage } from "./lib/stage.mjs" */
/** @import { Event, Server } from "./lib/types.js" */

import assert from "node:assert/strict";
import { copyFile, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { allKeep, allMade } from "./lib/agree.mjs";
import { Process } from "./lib/process.mjs";
import { PROGRAM } from "./lib/settings.mjs";
import { scenario } from "./lib/stage.mjs";
import { timed } from "./lib/wait.mjs";

/**
 * Makes a 2-of-2 key of alice and bob; returns what they told.
 * @param {Stage} stage
 * @param {Server} server
 * @param {string[]} more
 * @returns {Promise<Event & { alice: Process, bob: Process }>}
 */
async function makeKey(stage, server, ...more) {
  const names = ["alice", "bob"];
  const bob = stage.join(server, "bob", ...more);
  await bob.until("registered");
  const alice = stage.create(server, "alice", names, 2, ...more);
  const made = await allMade([alice, bob], { participants: names, threshold: 2 });
  return { ...made, alice, bob };
}

/**
 * Every file and folder under one, with its mode bits.
 * @param {string} folder
 */
async function tree(folder) {
  const names = await readdir(folder, { recursive: true });
  const paths = [folder, ...names.map((name) => join(folder, name))];
  return Promise.all(paths.map(async (path) => {
    const seen = await stat(path);
    return { path, mode: seen.mode & 0o777, isFile: seen.isFile() };
  }));
}

scenario("files are for their owner only, and hold nothing in the clear", async (stage) => {
  const server = await stage.server();
  const { pubkey } = await makeKey(stage, server);
  const found = await tree(stage.dataOf("alice"));
  for (const { path, mode, isFile } of found) {
    assert.equal(mode.toString(8), isFile ? "600" : "700", path);
    if (!isFile) continue;
    const text = (await readFile(path)).toString("latin1");
    assert.ok(path.endsWith("/lock") ? text === "" : text.startsWith("frostmesh"), path);
    assert.doesNotMatch(text, /key_package|participants|alice|threshold/, path);
    assert.ok(!text.includes(pubkey), `${path} holds the group key in the clear`);
  }
  const files = found.filter(({ isFile }) => isFile).map(({ path }) => path.slice(stage.dataOf("alice").length + 1));
  const kept = ["identity", "keystore", "lock", "server", `wallets/${pubkey}`];
  assert.deepEqual(files.sort(), kept, "nothing unconfirmed or temporary is left");
});

scenario("nothing of a share is told, however much is asked for", async (stage) => {
  const server = await stage.server();
  const { pubkey, alice, bob } = await makeKey(stage, server);
  const said = [alice, bob].map(({ stdout, stderr }) => stdout + stderr);
  said.push((await stage.run("wallets", "list", ...stage.local("alice"), "--json", "-v")).stdout);
  said.push((await stage.run("wallets", "show", pubkey, ...stage.local("alice"), "--json", "-v")).stdout);
  said.push((await stage.run("wallets", "show", pubkey.slice(0, 8), ...stage.local("alice"))).stdout);
  for (const text of said) {
    assert.ok(text.includes(pubkey));
    assert.doesNotMatch(text, /key_package|signing_share|secret/i);
    // A scalar is 64 hex digits: none but the group key, which has 66, may be told. Session ids have 32.
    assert.deepEqual([...text.matchAll(/[0-9a-f]{40,}/g)].filter(([hex]) => hex !== pubkey).map(String), []);
  }
});

scenario("a wrong password, no wallet, no keystore: 6", async (stage) => {
  const server = await stage.server();
  const { pubkey } = await makeKey(stage, server);
  const wrong = ["--data-dir", stage.dataOf("alice"), "--password-file", await stage.file("wrong", "not this one")];
  const network = ["--server", server.url, "--peer-id", "alice", "--allow-unverified"];
  for (const words of [["wallets", "list"], ["wallets", "show", pubkey], ["join", ...network]]) {
    const { code, stdout, stderr } = await stage.run(...words, ...wrong);
    assert.deepEqual([code, stdout], [6, ""], stderr);
    assert.match(stderr, /wrong password/);
  }
  const other = pubkey.startsWith("02") ? "03" : "02";
  const none = await stage.run("wallets", "show", other, ...stage.local("alice"));
  assert.equal(none.code, 6);
  assert.match(none.stderr, new RegExp(`no wallet ${other}`));
  const empty = await stage.run("wallets", "list", ...stage.local("nobody"));
  assert.equal(empty.code, 6);
  assert.match(empty.stderr, /no wallets in/);
  await assert.rejects(stat(stage.dataOf("nobody")), { code: "ENOENT" }, "looking makes no keystore");
});

scenario("a truncated or edited wallet is named, and the others are still there", async (stage) => {
  const server = await stage.server();
  const [first, second, third] = [
    await makeKey(stage, server), await makeKey(stage, server), await makeKey(stage, server),
  ];
  const file = (/** @type {Event} */ { pubkey }) => join(stage.dataOf("alice"), "wallets", pubkey);
  await truncate(file(first), 500);
  const bytes = await readFile(file(second));
  bytes[bytes.length - 20] ^= 1;
  await writeFile(file(second), bytes);
  await copyFile(file(third), file({ pubkey: "02".repeat(33) }));
  const { code, events, stderr } = await stage.run("wallets", "list", ...stage.local("alice"), "--json");
  assert.equal(code, 0, stderr);
  assert.deepEqual(events.map(({ pubkey }) => pubkey), [third.pubkey]);
  const complaints = stderr.trim().split("\n");
  assert.equal(complaints.length, 3, stderr);
  const about = (/** @type {string} */ pubkey) => complaints.find((line) => line.includes(pubkey)) ?? "";
  assert.match(about(first.pubkey), /damaged: it was cut short or changed/);
  assert.match(about(second.pubkey), /damaged: it was cut short or changed/);
  assert.match(about("02".repeat(33)), /another wallet than its name says/);
  await allKeep(stage, ["alice"], third);
  // The node still works, and the other participant never noticed.
  await makeKey(stage, server);
  assert.equal((await stage.walletsOf("bob")).length, 4);
});

/** Offset of memory in KiB, passes and lanes in an envelope: after the name, the version and the derivation's number. */
const PARAMETERS = 9 + 1 + 1;

scenario("a keystore that asks for too much or too little is refused at once", async (stage) => {
  const server = await stage.server();
  await makeKey(stage, server);
  const path = join(stage.dataOf("alice"), "keystore");
  const good = await readFile(path);
  for (const [memory, passes, lanes] of [[0xffffffff, 3, 4], [65536, 0xffffffff, 4], [65536, 3, 0xffff], [8, 1, 1]]) {
    const bytes = Buffer.from(good);
    bytes.writeUInt32BE(memory, PARAMETERS);
    bytes.writeUInt32BE(passes, PARAMETERS + 4);
    bytes.writeUInt32BE(lanes, PARAMETERS + 8);
    await writeFile(path, bytes);
    const listing = stage.run("wallets", "list", ...stage.local("alice"));
    assert.ok((await timed(listing)) < 5, `${memory} ${passes} ${lanes} took long`);
    const result = await listing;
    assert.equal(result.code, 1, result.stderr);
    assert.match(result.stderr, /out of bounds/);
  }
  for (const [cut, says] of /** @type {[number, RegExp][]} */ ([[0, /no frostmesh file/], [60, /cut short/]])) {
    await writeFile(path, good.subarray(0, cut));
    const { code, stderr } = await stage.run("wallets", "list", ...stage.local("alice"));
    assert.equal(code, 1, stderr);
    assert.match(stderr, says);
  }
  await writeFile(path, good);
  assert.equal((await stage.walletsOf("alice")).length, 1);
});

scenario("without a password nothing starts; it may come from the environment", async (stage) => {
  const { code, stderr } = await stage.run("wallets", "list", "--data-dir", stage.folder);
  assert.equal(code, 6, stderr);
  const server = await stage.server();
  const network = ["--server", server.url, "--peer-id", "alice", "--allow-unverified"];
  const none = await stage.run("join", ...network, "--data-dir", stage.dataOf("alice"));
  assert.equal(none.code, 2);
  assert.match(none.stderr, /--password-file FILE or set FROSTMESH_PASSWORD/);
  const empty = await stage.file("empty", "\n");
  const blank = await stage.run("join", ...network, "--data-dir", stage.dataOf("alice"), "--password-file", empty);
  assert.equal(blank.code, 2);
  assert.match(blank.stderr, /password is empty/);
  await assert.rejects(stat(stage.dataOf("alice")), { code: "ENOENT" });
  const words = ["join", ...network, "--data-dir", stage.dataOf("alice"), "--json"];
  await stage.add(new Process("alice", PROGRAM, words, { FROSTMESH_PASSWORD: "in the air" })).until("registered");
});
