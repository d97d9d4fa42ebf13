// What becomes of the extension when Chrome ends parts of it, and of a server that goes away.

/** @import { Screen } from "./lib/screen.mjs" */
/** @import { Stage } from "./lib/stage.mjs" */
/** @import { Server } from "./lib/types.js" */

import assert from "node:assert/strict";
import { after } from "node:test";

import { allMade } from "./lib/agree.mjs";
import { online, shared } from "./lib/extension.mjs";
import { scenario } from "./lib/stage.mjs";
import { eventually } from "./lib/wait.mjs";

const installed = shared();
after(() => installed.close());

/**
 * A key of the extension and one command-line node.
 * @param {Stage} stage
 * @param {Server} server
 * @param {Screen} popup
 */
async function makeKey(stage, server, popup, cli = "cli1") {
  const participants = ["browser", cli];
  const node = stage.create(server, cli, participants, 2);
  const sessionId = await popup.join();
  const made = await allMade([node], { participants, threshold: 2 });
  await popup.phase(sessionId, "done");
  return made;
}

scenario("a wrong password is refused in clear words, the right one opens the wallet", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const { pubkey } = await makeKey(stage, server, popup);
  await extension.endNode();
  await popup.unlock("not this one");
  await popup.says("That password is wrong.");
  await popup.picture("wrong-password");
  assert.deepEqual(await popup.wallets(), []);
  await popup.unlock();
  await popup.wallet(pubkey);
});

scenario("a stored key that was damaged is spoken of", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const { pubkey } = await makeKey(stage, server, popup);
  await popup.wallet(pubkey);
  await extension.endNode();
  assert.equal(await extension.damageWallets(), 1);
  await popup.unlock();
  await popup.says("a stored key cannot be opened");
  await popup.picture("damaged");
  assert.deepEqual(await popup.wallets(), []);
});

scenario("two passwords that differ, or none, are not taken", async (stage) => {
  const popup = await (await installed.fresh(stage)).popup();
  await popup.shows(popup.at("password-confirm"), "the form for a new password");
  await popup.at("password-submit").click();
  await popup.says("Type a password first.");
  await popup.at("password").fill("one");
  await popup.at("password-confirm").fill("other");
  await popup.at("password-submit").click();
  await popup.says("The two passwords differ.");
  await popup.setPassword();
});

scenario("the node's document ends: locked, and after unlocking everything is back", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const { pubkey } = await makeKey(stage, server, popup);
  await extension.endNode();
  await popup.isLocked();
  await popup.picture("locked");
  assert.deepEqual(await popup.wallets(), [], "a locked node shows nothing");
  // The server notices at once that the socket is gone: the name is free again.
  await popup.unlock();
  await popup.wallet(pubkey);
  await popup.isOnline();
  assert.equal(await extension.countNodes(), 1);
  // It is the same participant as before, and makes another key.
  const second = await makeKey(stage, server, popup, "cli2");
  assert.deepEqual((await popup.wallets()).sort(), [pubkey, second.pubkey].sort());
  popup.isClean();
});

scenario("a popup that opens while the node's document is gone brings it back", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const { pubkey } = await makeKey(stage, server, popup);
  await popup.close();
  await extension.endNode();
  assert.equal(await extension.countNodes(), 0);
  const again = await extension.popup();
  await again.unlock();
  await again.wallet(pubkey);
  await again.isOnline();
});

scenario("the lock button forgets what was in memory", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const { pubkey } = await makeKey(stage, server, popup);
  await popup.page.getByRole("button", { name: "Lock", exact: true }).click();
  await popup.isLocked();
  await eventually(10, "the server to lose the node", async () => {
    const { events } = await stage.run("peers", "--server", server.url, "--json");
    return !events[0].peers.includes("browser");
  });
  await popup.unlock();
  await popup.wallet(pubkey);
  await popup.isOnline();
});

scenario("the service worker is stopped: node and popup go on", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  await extension.stopWorker(popup.page);
  const first = await makeKey(stage, server, popup);
  await extension.stopWorker(popup.page);
  await popup.close();
  const again = await extension.popup();
  await again.isOnline();
  await again.wallet(first.pubkey);
  await makeKey(stage, server, again, "cli2");
  assert.equal(await extension.countNodes(), 1);
});

scenario("worker and document are both gone: the popup rebuilds them from what is stored", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const { pubkey } = await makeKey(stage, server, popup);
  await popup.page.goto("about:blank");
  await extension.endNode();
  await extension.stopWorker(popup.page);
  const again = await extension.popup();
  await again.unlock();
  await again.wallet(pubkey);
  await again.isOnline();
});

scenario("a panic in the node's document shows its text in the popup, and a way to go on", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const { pubkey } = await makeKey(stage, server, popup);
  stage.create(server, "cli2", ["browser", "cli2"], 2);
  await popup.proposal();
  const node = await extension.nodeDocument();
  await node.evaluate("crypto.getRandomValues = () => { throw new Error('no randomness today') }; 0");
  await popup.join();
  await popup.says("The node has stopped");
  await popup.picture("fatal-popup");
  assert.match(await popup.page.locator("main pre").innerText(), /panicked at .*\n.*no randomness/);
  assert.deepEqual(await popup.wallets(), []);
  // A popup that opens later is told the same.
  const other = await extension.popup();
  await other.says("The node has stopped");
  await other.close();
  await popup.page.getByRole("button", { name: "Restart the node" }).click();
  await popup.unlock();
  await popup.wallet(pubkey);
  await popup.isOnline();
  assert.equal(await extension.countNodes(), 1);
  await node.detach();
});

scenario("the badge counts proposals that wait, with no popup open", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  await (await online(extension, server, "browser")).close();
  const badge = () => extension.inWorker(() => chrome.action.getBadgeText({}));
  assert.equal(await badge(), "");
  const cli = stage.create(server, "cli1", ["browser", "cli1"], 2);
  await eventually(20, "the badge to show a proposal", async () => (await badge()) === "1");
  cli.signal("SIGINT");
  await eventually(20, "the badge to be empty again", async () => (await badge()) === "");
});

scenario("the server dies and comes back: the extension is online again by itself", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  server.signal("SIGKILL");
  await popup.connection("connecting");
  await popup.picture("connecting");
  const again = await stage.server({ port: server.port });
  await popup.isOnline();
  await makeKey(stage, again, popup);
});
