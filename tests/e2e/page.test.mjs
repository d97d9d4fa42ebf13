// The plain web page, served by the signaling server: keys, reloads, a panic, a second tab, a server that dies.

/** @import { Stage } from "./lib/stage.mjs" */
/** @import { Site } from "./lib/types.js" */
/** @import { BrowserContext } from "playwright-core" */

import assert from "node:assert/strict";
import { after } from "node:test";

import { allKeep, allMade } from "./lib/agree.mjs";
import { sharedBrowser } from "./lib/chromium.mjs";
import { Screen } from "./lib/screen.mjs";
import { scenario } from "./lib/stage.mjs";

const browsers = sharedBrowser();
after(() => browsers.close());

/**
 * The page in the browser of another person; `prepare` runs in it before anything else.
 * @param {Stage} stage
 * @param {Site} server
 * @param {string} name
 * @param {() => void} [prepare]
 */
async function openPage(stage, server, name, prepare) {
  const context = await browsers.person();
  stage.add({ name: `browser of ${name}`, report: () => "", close: () => context.close() });
  const screen = await openTab(stage, context, server, name);
  if (prepare) await screen.page.addInitScript(prepare);
  await screen.page.goto(server.page);
  return screen;
}

/** @param {Stage} stage @param {BrowserContext} context @param {Site} server @param {string} name */
async function openTab(stage, context, server, name) {
  const screen = new Screen(await context.newPage(), `page of ${name}`);
  stage.add({ name: screen.name, report: (s) => screen.report(s), close: async () => {} });
  return screen;
}

/**
 * The same with a password set, connected to the server.
 * @param {Stage} stage
 * @param {Site} server
 * @param {string} name
 * @param {() => void} [prepare]
 */
async function online(stage, server, name, prepare) {
  const screen = await openPage(stage, server, name, prepare);
  await screen.setPassword();
  await screen.connect(server, name);
  return screen;
}

/**
 * A key of the page and one command-line node.
 * @param {Stage} stage
 * @param {Site} server
 * @param {Screen} screen
 * @param {string} peerId
 * @param {string} cli
 */
async function makeKey(stage, server, screen, peerId, cli) {
  const participants = [peerId, cli];
  const node = stage.create(server, cli, participants, 2);
  const sessionId = await screen.join();
  const made = await allMade([node], { participants, threshold: 2 });
  await screen.phase(sessionId, "done");
  await screen.wallet(made.pubkey);
  return made;
}

scenario("page and command line, whichever of them proposes", async (stage) => {
  const server = await stage.server();
  const page = await online(stage, server, "page");
  // Once with the page as the one that offers the connection, once as the one that answers.
  const first = await makeKey(stage, server, page, "page", "zoe");
  const adam = stage.join(server, "adam");
  await adam.until("registered");
  await page.propose({ participants: ["adam"], threshold: 2 });
  const second = await allMade([adam], { participants: ["adam", "page"], threshold: 2 });
  await page.wallet(second.pubkey);
  assert.deepEqual((await page.wallets()).sort(), [first.pubkey, second.pubkey].sort());
  await allKeep(stage, ["adam"], second);
  page.isClean();
  await page.picture("page-done");
});

scenario("two pages and a command-line node", async (stage) => {
  const server = await stage.server();
  const [ann, ben] = await Promise.all(["ann", "ben"].map((name) => online(stage, server, name)));
  const participants = ["ann", "ben", "cli"];
  const cli = stage.join(server, "cli");
  await cli.until("registered");
  await ann.propose({ participants: ["ben", "cli"], threshold: 2, sessionId: "three-of-us" });
  assert.equal(await ben.join(), "three-of-us");
  const made = await allMade([cli], { participants, threshold: 2 });
  for (const screen of [ann, ben]) {
    await screen.phase("three-of-us", "done");
    await screen.wallet(made.pubkey);
    screen.isClean();
  }
});

scenario("after a reload it is locked; the password brings wallet and connection back", async (stage) => {
  const server = await stage.server();
  const page = await online(stage, server, "page");
  const { pubkey } = await makeKey(stage, server, page, "page", "cli1");
  await page.page.reload();
  await page.isLocked();
  assert.deepEqual(await page.wallets(), []);
  await page.unlock("not this one");
  await page.says("That password is wrong.");
  await page.unlock();
  await page.wallet(pubkey);
  await page.isOnline();
  await makeKey(stage, server, page, "page", "cli2");
});

scenario("a panic in the middle of a key shows its text, and a way to go on", async (stage) => {
  const server = await stage.server();
  const page = await online(stage, server, "page", () => {
    const real = crypto.getRandomValues.bind(crypto);
    crypto.getRandomValues = (array) => {
      if (window.noRandomness) throw new Error("no randomness today");
      return real(array);
    };
  });
  const { pubkey } = await makeKey(stage, server, page, "page", "cli1");
  stage.create(server, "cli2", ["cli2", "page"], 2);
  await page.proposal();
  await page.page.evaluate(() => (window.noRandomness = true));
  await page.join();
  await page.says("The node has stopped");
  await page.picture("fatal");
  const text = await page.page.locator("main pre").innerText();
  assert.match(text, /panicked at .*\n.*no randomness/, "the panic's place and its text");
  assert.equal(await page.at("connection").getAttribute("data-state"), "offline");
  assert.deepEqual(await page.wallets(), [], "what a stopped node knew is not shown");
  await page.page.getByRole("button", { name: "Restart the node" }).click();
  await page.unlock();
  await page.wallet(pubkey);
  await page.isOnline();
});

scenario("one node in a browser: a second tab says so, and can take over", async (stage) => {
  const server = await stage.server();
  const first = await online(stage, server, "page");
  const { pubkey } = await makeKey(stage, server, first, "page", "cli1");
  const second = await openTab(stage, first.page.context(), server, "second tab");
  await second.page.goto(server.page);
  await second.says("Already open in another tab");
  await second.picture("elsewhere");
  await second.page.getByRole("button", { name: "Use it here" }).click();
  await second.unlock();
  await second.wallet(pubkey);
  await second.isOnline();
  await first.says("Already open in another tab");
  assert.deepEqual(await first.wallets(), []);
});

scenario("the server dies, then comes back on the same port", async (stage) => {
  const server = await stage.server();
  const page = await online(stage, server, "page");
  server.signal("SIGKILL");
  await page.connection("connecting");
  const again = await stage.server({ port: server.port });
  await page.isOnline();
  await makeKey(stage, again, page, "page", "cli1");
});

scenario("a server that is not there is told, and not given up", async (stage) => {
  const server = await stage.server();
  const page = await openPage(stage, server, "page");
  await page.setPassword();
  await page.at("server-url").fill("ws://127.0.0.1:1/");
  await page.at("peer-id").fill("page");
  await page.at("connect").click();
  await page.connection("connecting");
  await page.says(/The server could not be used:/);
  await page.at("peer-id").fill("no spaces please");
  await page.at("connect").click();
  await page.says(/A peer id has 1 to 64/);
  await page.connect(server, "page");
});
