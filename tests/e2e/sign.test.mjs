// Signing: asked for, approved and made by extension, page and command line in every combination, killed in between, unattended
// by a policy, and on record. Signatures are checked by libraries that are not ours.

/** @import { Stage } from "./lib/stage.mjs" */
/** @import { Event, Server, Site } from "./lib/types.js" */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";

import { sharedBrowser } from "./lib/chromium.mjs";
import { online, shared } from "./lib/extension.mjs";
import { verified } from "./lib/noble.mjs";
import { Screen } from "./lib/screen.mjs";
import { scenario } from "./lib/stage.mjs";
import { eventually } from "./lib/wait.mjs";
import { verifyEvent } from "nostr-tools/pure";

const installed = shared();
const browsers = sharedBrowser();
after(async () => {
  await installed.close();
  await browsers.close();
});

const sha256 = (/** @type {(string | Uint8Array)[]} */ ...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const tagged = (/** @type {string} */ tag, /** @type {string | Uint8Array} */ data) => sha256(sha256(tag), sha256(tag), data).toString("hex");

const flags = (/** @type {Stage} */ stage, /** @type {Server} */ server, /** @type {string} */ name) => ["--server", server.url, "--peer-id", name, ...stage.local(name), "--json", "-v"];

/**
 * Command-line nodes make a key; each is ready.
 * @param {Stage} stage
 * @param {Server} server
 * @param {string[]} names
 * @param {number} threshold
 * @param {string[]} more
 */
async function wallet(stage, server, names, threshold, ...more) {
  const rest = names.slice(1).map((name) => stage.start(name, "join", ...flags(stage, server, name), "--trust-first-use"));
  await Promise.all(rest.map((node) => node.until("registered")));
  const proposal = ["--participants", names.join(), "--threshold", `${threshold}`, "--trust-first-use"];
  const first = stage.start(names[0], "create", ...flags(stage, server, names[0]), ...proposal, ...more);
  const made = await Promise.all([first, ...rest].map((node) => node.until("wallet_created")));
  for (const node of [first, ...rest]) {
    await node.until("wallet_ready");
    assert.equal(await node.exit(), 0, node.name);
  }
  return made[0].pubkey;
}

const nodeOf = (/** @type {Stage} */ stage, /** @type {string} */ name, /** @type {string[]} */ ...more) => stage.start(name, "node", ...stage.local(name), "--json", "-v", ...more);
const sign = (/** @type {Stage} */ stage, /** @type {string} */ name, /** @type {string} */ pubkey, /** @type {string[]} */ ...more) =>
  stage.start(`sign of ${name}`, "sign", "--wallet", pubkey, ...stage.local(name), "--json", "-v", ...more);

/** @param {Stage} stage @param {string} name @param {string} pubkey */
async function log(stage, name, pubkey) {
  const { events, code } = await stage.run("log", "show", pubkey, ...stage.local(name), "--json");
  assert.equal(code, 0);
  return events.map((/** @type {Event} */ { body }) => body);
}

/**
 * No commitments of a member were ever used for two shares.
 * @param {Stage} stage
 * @param {string[]} names
 * @param {string} pubkey
 */
async function noNonceTwice(stage, names, pubkey) {
  for (const name of names) {
    const used = (await log(stage, name, pubkey)).flatMap((/** @type {Event} */ { commit }) => (commit ? [commit.commitments] : []));
    assert.equal(new Set(used).size, used.length, `${name} used its nonces twice`);
    assert.equal((await stage.run("log", "verify", pubkey, ...stage.local(name), "--json")).code, 0, `the log of ${name}`);
  }
}

for (const suite of ["secp256k1", "secp256k1-tr"]) {
  scenario(`command-line nodes sign each kind with ${suite}`, async (stage) => {
    const server = await stage.server();
    const pubkey = await wallet(stage, server, ["alice", "bob", "carol"], 2, "--suite", suite);
    const bob = nodeOf(stage, "bob");
    await bob.until("registered");
    const file = await stage.file("contract.pdf", "the contract");
    const digestOf = {
      "--text": ["pay the rent", tagged("frostmesh/text", "pay the rent")],
      "--hash": ["ab".repeat(32), "ab".repeat(32)],
      "--file": [file, tagged("frostmesh/file", sha256("the contract"))],
    };
    for (const [kind, [content, digest]] of Object.entries(digestOf)) {
      const alice = sign(stage, "alice", pubkey, kind, content);
      const { request } = await bob.until({ event: "requested", digest });
      const listed = await stage.run("requests", "--offline", ...stage.local("bob"), "--json");
      assert.equal(listed.events.find(({ id }) => id === request)?.state, "open");
      assert.equal((await stage.run("approve", request.slice(0, 10), ...stage.local("bob"), "--json")).code, 0);
      const signed = await alice.until("signature");
      assert.equal(await alice.exit(), 0);
      assert.deepEqual([signed.digest, signed.suite, signed.signers], [digest, suite, ["alice", "bob"]]);
      verified(signed);
      const args = ["--suite", suite, "--pubkey", pubkey, "--signature", signed.signature, kind, content];
      assert.equal((await stage.run("verify", ...args, "--json")).code, 0);
      await bob.until({ event: "signature", request });
    }
    // Carol, who was away, hears of all of it.
    const { events } = await stage.run("requests", "--all", ...stage.local("carol"), "--json");
    assert.deepEqual(events.map(({ state }) => state), ["signed", "signed", "signed"]);
    await noNonceTwice(stage, ["alice", "bob", "carol"], pubkey);
  });
}

scenario("a request that too many decline", async (stage) => {
  const server = await stage.server();
  const pubkey = await wallet(stage, server, ["alice", "bob"], 2);
  const alice = sign(stage, "alice", pubkey, "--text", "no way");
  await alice.until("voted");
  const { request } = await alice.until("requested");
  const { code } = await stage.run("decline", request.slice(0, 8), ...stage.local("bob"), "--json");
  assert.equal(code, 0);
  assert.equal(await alice.exit(), 4);
});

scenario("a health check tells who answers", async (stage) => {
  const server = await stage.server();
  const pubkey = await wallet(stage, server, ["alice", "bob", "carol"], 2);
  const bob = nodeOf(stage, "bob");
  await bob.until("registered");
  const { code, events } = await stage.run("wallets", "check", pubkey, ...stage.local("alice"), "--json");
  assert.equal(code, 1);
  const { answered, failed } = events.find(({ event }) => event === "checked") ?? {};
  assert.deepEqual([answered, failed], [["alice", "bob"], [["carol", "is not connected"]]]);
  // Beside it nothing else may take its place at the server.
  const beside = await stage.run("join", ...flags(stage, server, "bob"), "--timeout", "5");
  assert.equal(beside.code, 1);
  assert.match(beside.stderr, /stop it/);
  assert.equal(bob.ended, null, "it goes on");
});

scenario("an unattended node signs what its policy approves, also after a restart, and says why", async (stage) => {
  const server = await stage.server();
  const pubkey = await wallet(stage, server, ["alice", "bob"], 2);
  const policy = await stage.file("policy.toml", `
    [[rule]]
    name = "no hashes"
    decision = "decline"
    kinds = ["hash"]

    [[rule]]
    name = "short texts of alice"
    decision = "approve"
    proposers = ["alice"]
    kinds = ["text"]
    max_size = 20
    max_per_hour = 2
  `);
  let bob = nodeOf(stage, "bob", "--policy", policy);
  await bob.until("registered");
  const first = sign(stage, "alice", pubkey, "--text", "first");
  assert.equal(await first.exit(), 0);
  bob.signal("SIGKILL");
  await bob.exit();
  bob = nodeOf(stage, "bob", "--policy", policy);
  const second = sign(stage, "alice", pubkey, "--text", "second");
  assert.equal(await second.exit(), 0);
  const third = sign(stage, "alice", pubkey, "--text", "third", "--timeout", "5");
  const refused = sign(stage, "alice", pubkey, "--hash", "00".repeat(32), "--timeout", "20");
  await Promise.race([refused.exit(), third.exit()]);
  assert.equal(await third.exit(), third.ended === 1 ? 1 : 5, "two an hour are the most; the kill does not change that");
  await refused.exit();
  const again = sign(stage, "alice", pubkey, "--hash", "00".repeat(32), "--timeout", "20");
  assert.equal(await again.exit(), 4);
  bob.signal("SIGTERM");
  assert.equal(await bob.exit(), 0);
  const rules = (await log(stage, "bob", pubkey)).flatMap((/** @type {Event} */ { decision }) => (decision ? [decision.rule] : []));
  assert.deepEqual(rules.slice(0, 2), ["short texts of alice", "short texts of alice"]);
  assert.ok(rules.slice(2).every((rule) => rule === "no hashes") && rules.length > 2, rules.join());
});

scenario("a signer is killed at any time and starts again: the signature comes, and no nonce is used twice", async (stage) => {
  const server = await stage.server();
  const names = ["alice", "bob", "carol"];
  const pubkey = await wallet(stage, server, names, 3);
  const policy = await stage.file("policy.toml", '[[rule]]\nname = "all"\ndecision = "approve"\n');
  const nodes = Object.fromEntries(names.slice(1).map((name) => [name, nodeOf(stage, name, "--policy", policy)]));
  await Promise.all(Object.values(nodes).map((node) => node.until("registered")));
  for (let run = 0; run < 12; run += 1) {
    const alice = sign(stage, "alice", pubkey, "--text", `run ${run}`, "--timeout", "60");
    const victim = names[1 + (run % 2)];
    await alice.until("requested");
    await new Promise((resolve) => setTimeout(resolve, (run * 7) % 60));
    nodes[victim].signal("SIGKILL");
    await nodes[victim].exit();
    nodes[victim] = nodeOf(stage, victim, "--policy", policy);
    verified(await alice.until("signature", 60));
    assert.equal(await alice.exit(), 0);
  }
  for (const node of Object.values(nodes)) {
    node.signal("SIGTERM");
    await node.exit();
  }
  await noNonceTwice(stage, names, pubkey);
});

scenario("a log that was edited, cut or is an old one is found", async (stage) => {
  const server = await stage.server();
  const pubkey = await wallet(stage, server, ["alice", "bob"], 2);
  const trail = join(stage.dataOf("alice"), "trail", pubkey);
  const head = join(stage.dataOf("alice"), "heads", pubkey);
  const saved = async (/** @type {string} */ name) => /** @type {const} */ ([name, await readFile(join(trail, name))]);
  const old = await Promise.all((await readdir(trail)).map(saved));
  const bob = nodeOf(stage, "bob");
  await bob.until("registered");
  const alice = sign(stage, "alice", pubkey, "--text", "for the record");
  const { request } = await bob.until("requested");
  await stage.run("approve", request, ...stage.local("bob"), "--json");
  assert.equal(await alice.exit(), 0);
  const verify = async (/** @type {string[]} */ ...more) => stage.run("log", "verify", pubkey, ...stage.local("alice"), "--json", ...more);
  assert.equal((await verify()).code, 0);

  const exported = await stage.run("log", "export", pubkey, ...stage.local("bob"));
  const theirs = await stage.file("bob.jsonl", exported.stdout);
  assert.equal((await verify("--against", theirs)).code, 0);
  const lines = exported.stdout.trim().split("\n");
  const cut = await stage.file("cut.jsonl", lines.filter((line) => !line.includes('signed')).join("\n"));
  assert.equal((await verify("--against", cut)).code, 1, "an export with an entry left out");
  const edited = await stage.file("edited.jsonl", exported.stdout.replace("for the record", "off the record"));
  assert.match((await verify("--against", edited)).stderr, /was changed|does not follow/);

  const names = (await readdir(trail)).sort();
  const files = await Promise.all(names.map((name) => readFile(join(trail, name))));
  const restore = async () => {
    for (const [i, name] of names.entries()) await writeFile(join(trail, name), files[i]);
  };
  await rm(join(trail, names[names.length - 1] ?? ""));
  assert.match((await verify()).stderr, /was cut/);
  await restore();
  await rm(join(trail, names[2]));
  assert.match((await verify()).stderr, /entry 2 is missing/);
  await restore();
  await writeFile(join(trail, names[2]), files[3]);
  assert.notEqual((await verify()).code, 0);
  for (const name of names) await rm(join(trail, name));
  for (const [name, bytesOf] of old) await writeFile(join(trail, name), bytesOf);
  assert.match((await verify()).stderr, /was cut/, "an old log");
  const after = await stage.run("sign", "--wallet", pubkey, "--text", "x", ...stage.local("alice"), "--json");
  assert.notEqual(after.code, 0, "nothing is signed on top of an old log");
  await restore();
  await rm(head);
  assert.match((await verify()).stderr, /the head of the trail is missing/);
});

// ---- extension and page ----

/** @param {Stage} stage @param {Site} server @param {string} name */
async function openPage(stage, server, name) {
  const context = await browsers.person();
  stage.add({ name: `browser of ${name}`, report: () => "", close: () => context.close() });
  const screen = new Screen(await context.newPage(), `page of ${name}`);
  stage.add({ name: screen.name, report: (s) => screen.report(s), close: async () => {} });
  await screen.page.goto(server.page);
  await screen.setPassword();
  await screen.connect(server, name);
  return screen;
}

/**
 * Extension, page and command line make a 2-of-3 key by an invite.
 * @param {Stage} stage
 * @param {Site} server
 */
async function three(stage, server) {
  const popup = await online(await installed.fresh(stage), server, "browser");
  const page = await openPage(stage, server, "page");
  await popup.at("invite-suite").selectOption("secp256k1-tr");
  const uri = await popup.invite({ total: 3, threshold: 2, name: "Treasury" });
  const cli = stage.start("cli", "join", uri, "--peer-id", "cli", ...stage.local("cli"), "--json", "-v");
  await page.joinInvite(uri);
  const { pubkey } = await cli.until("wallet_created");
  await cli.until("wallet_ready");
  await cli.exit();
  return { popup, page, pubkey };
}

const card = (/** @type {Screen} */ screen, /** @type {string} */ state) => screen.at("request", state ? `[data-state="${state}"]` : "");

/** @param {Event} event of a request that is signed @returns {{ digest: string, signature: string }[]} */
const signaturesOf = (event) => event.signatures;

/** @param {Screen} screen @param {string} kind @param {string} content */
async function ask(screen, kind, content) {
  if (!(await screen.at("sign-submit").isVisible())) await screen.at("sign").click();
  await screen.at("sign-kind").selectOption(kind);
  await screen.at("sign-content").fill(content);
  await screen.at("sign-submit").click();
}

scenario("extension, page and command line sign in every combination; Nostr takes what they sign", async (stage) => {
  const server = await stage.server();
  const { popup, page, pubkey } = await three(stage, server);

  // The extension asks, the page approves.
  await ask(popup, "text", "one\nfor all \u202egnp.exe");
  const shown = await page.shows(card(page, "open"), "the request");
  assert.match(await shown.getByTestId("content").innerText(), /one\nfor all \\u\{202e\}gnp\.exe/);
  assert.equal((await shown.getByTestId("digest").innerText()).trim(), tagged("frostmesh/text", "one\nfor all \u202egnp.exe"));
  await page.picture("request");
  await shown.getByTestId("approve").click();
  for (const screen of [popup, page]) {
    const signed = await screen.shows(card(screen, "signed"), "the signature");
    const signature = (await signed.getByTestId("signature").innerText()).trim();
    verified({ pubkey, suite: "secp256k1-tr", digest: tagged("frostmesh/text", "one\nfor all \u202egnp.exe"), signature });
  }
  await popup.picture("signed");

  // The command line asks with a Nostr event, the extension approves.
  const event = { created_at: 1_790_000_000, kind: 1, tags: [["t", "frost"]], content: "signed by a browser and a terminal" };
  const cli = sign(stage, "cli", pubkey, "--nostr-event", await stage.file("event.json", JSON.stringify(event)));
  await (await popup.shows(card(popup, "open"), "the request")).getByTestId("approve").click();
  const { signature, digest, signers } = await cli.until("signature");
  assert.equal(await cli.exit(), 0);
  assert.deepEqual(signers.toSorted(), ["browser", "cli"]);
  const complete = { ...event, pubkey: pubkey.slice(2), id: digest, sig: signature };
  assert.ok(verifyEvent(complete), "by nostr-tools");

  // The page asks, an unattended command line approves.
  const policy = await stage.file("policy.toml", '[[rule]]\nname = "page"\ndecision = "approve"\nproposers = ["page"]\n');
  const node = nodeOf(stage, "cli", "--policy", policy);
  await page.says("cli");
  await ask(page, "hash", "cd".repeat(32));
  const third = await node.until({ event: "signature", digest: "cd".repeat(32) });
  verified(third);
  await popup.shows(popup.at("request", '[data-state="signed"]').nth(2), "the third signature");
  popup.isClean();
  page.isClean();
});

scenario("twenty hashes are one request: the command line asks, the popup shows all and approves once", async (stage) => {
  const server = await stage.server();
  const { popup, pubkey } = await three(stage, server);
  const digests = Array.from({ length: 24 }, (_, i) => sha256(`input ${i}`).toString("hex"));
  const [single, listed] = [digests.slice(0, 2), digests.slice(2)];
  const batch = await stage.file("inputs.jsonl", listed.map((content) => JSON.stringify({ kind: "hash", content })).join("\n"));
  const asked = sign(stage, "cli", pubkey, ...single.flatMap((hash) => ["--hash", hash]), "--batch", batch);
  const shown = await popup.shows(card(popup, "open"), "the request");
  assert.match(await shown.innerText(), /sign these 24 contents/);
  // The first ones are there at once, and the others are not hidden silently.
  assert.equal(await shown.getByTestId("content-title").count(), 20);
  await shown.getByTestId("more-contents").click();
  assert.equal(await shown.getByTestId("content-title").count(), 24);
  const content = await shown.getByTestId("content").innerText();
  for (const digest of digests) assert.ok(content.includes(digest), digest);
  await popup.picture("batch");
  await shown.getByTestId("approve").click();
  const done = await asked.until("signature");
  const signatures = signaturesOf(done);
  assert.equal(await asked.exit(), 0);
  assert.deepEqual(signatures.map((one) => one.digest), digests, "in the order given");
  assert.deepEqual({ digest: done.digest, signature: done.signature }, signatures[0]);
  for (const one of signatures) verified({ pubkey, suite: "secp256k1-tr", ...one });
  const signed = await popup.shows(card(popup, "signed"), "the signatures");
  const lines = (await signed.getByTestId("signature").innerText()).trim().split(/\s+/);
  assert.deepEqual(lines, signatures.map((one) => one.signature));
  const bodies = await log(stage, "cli", pubkey);
  assert.equal(bodies.filter(({ commit }) => commit?.request).length, 1, "one ceremony");
  assert.equal(bodies.filter((body) => body.signed)[0].signed.signature.length, 24);
  await noNonceTwice(stage, ["cli"], pubkey);
  popup.isClean();
});

scenario("a batch on the command line prints one signature a line, and shows what is asked for", async (stage) => {
  const server = await stage.server();
  const pubkey = await wallet(stage, server, ["alice", "bob"], 2);
  const bob = nodeOf(stage, "bob");
  await bob.until("registered");
  const file = await stage.file("contract.pdf", "the contract");
  const text = tagged("frostmesh/text", "and this");
  const fileDigest = tagged("frostmesh/file", sha256("the contract"));
  const what = ["--text", "and this", "--hash", "ab".repeat(32), "--file", file];
  const alice = stage.start("sign of alice", "sign", "--wallet", pubkey, ...stage.local("alice"), ...what);
  const { request, contents, kind } = await bob.until("requested");
  /** @type {{ kind: string, digests: string[] }[]} */
  const listedContents = contents;
  assert.deepEqual([kind, ...listedContents.map((one) => one.kind)], ["batch", "text", "hash", "file"]);
  assert.deepEqual(listedContents.map(({ digests }) => digests), [[text], ["ab".repeat(32)], [fileDigest]]);
  const listed = await stage.run("requests", "--offline", ...stage.local("bob"));
  assert.match(listed.stdout, /3 contents for .*asked by alice/);
  for (const line of [/1 of 3: text/, /and this/, /2 of 3: hash/, /3 of 3: file/, /contract\.pdf/]) assert.match(listed.stdout, line);
  assert.equal((await stage.run("approve", request.slice(0, 10), ...stage.local("bob"))).code, 0);
  assert.equal(await alice.exit(), 0);
  const { events } = await stage.run("requests", "--offline", "--all", ...stage.local("bob"), "--json");
  const signatures = signaturesOf(events.find(({ id }) => id === request) ?? {});
  assert.deepEqual(signatures.map(({ digest }) => digest), [text, "ab".repeat(32), fileDigest]);
  for (const one of signatures) verified({ pubkey, suite: "secp256k1", ...one });
  assert.deepEqual(alice.stdout.trim().split("\n"), signatures.map(({ signature }) => signature));
  const bad = await stage.file("bad.jsonl", '{"kind":"hash","content":"00"}\n');
  const refused = await stage.run("sign", "--wallet", pubkey, "--batch", bad, ...stage.local("alice"));
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /bad\.jsonl, line 1: a hash is 64 hexadecimal digits/);
});

scenario("the badge counts requests, and a decline reaches everyone", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const uri = await popup.invite({ total: 2, threshold: 2, name: "Pair" });
  const cli = stage.start("cli", "join", uri, "--peer-id", "cli", ...stage.local("cli"), "--json", "-v");
  const { pubkey } = await cli.until("wallet_created");
  await cli.exit();
  const asked = sign(stage, "cli", pubkey, "--text", "please", "--timeout", "30");
  const shown = await popup.shows(card(popup, "open"), "the request");
  const badge = () => extension.inWorker(() => chrome.action.getBadgeText({}));
  await eventually(10, "the badge", async () => (await badge()) === "1");
  await shown.getByTestId("decline").click();
  assert.equal(await asked.exit(), 4);
  await popup.shows(card(popup, "declined"), "that it is declined");
  await eventually(10, "no badge", async () => (await badge()) === "");
  popup.isClean();
});

scenario("the document of the node ends at any time: the signature comes, and no nonce is used twice", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const uri = await popup.invite({ total: 2, threshold: 2, name: "Pair" });
  const guest = stage.start("cli", "join", uri, "--peer-id", "cli", ...stage.local("cli"), "--json", "-v");
  const { pubkey } = await guest.until("wallet_created");
  await guest.exit();
  for (let run = 0; run < 5; run += 1) {
    const cli = sign(stage, "cli", pubkey, "--text", `run ${run}`, "--timeout", "60");
    const shown = await popup.shows(card(popup, "open"), "the request");
    await shown.getByTestId("approve").click();
    await new Promise((resolve) => setTimeout(resolve, run * 6));
    await extension.endNode();
    await popup.unlock();
    await popup.isOnline();
    // The vote may not have been kept before the end.
    const again = card(popup, "open").getByTestId("approve");
    await eventually(60, "the signature", async () => {
      if (await again.isVisible().catch(() => false)) await again.click().catch(() => {});
      return cli.all({ event: "signature" }).length;
    });
    verified(cli.all({ event: "signature" })[0]);
    assert.equal(await cli.exit(), 0);
  }
  await noNonceTwice(stage, ["cli"], pubkey);
});
