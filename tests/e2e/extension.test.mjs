// The extension makes keys: with command-line nodes, with another extension, from its popup, and with nobody looking.

import assert from "node:assert/strict";
import { after } from "node:test";

import { aborts, allKeep, allMade } from "./lib/agree.mjs";
import { Extension, online, shared } from "./lib/extension.mjs";
import { scenario } from "./lib/stage.mjs";

const installed = shared();
after(() => installed.close());

const NAMES = ["browser", "cli1", "cli2"];
const TWO_OF_THREE = { participants: NAMES, threshold: 2 };

scenario("a command-line node proposes; the extension joins from its popup", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const cli2 = stage.join(server, "cli2");
  await cli2.until("registered");
  const cli1 = stage.create(server, "cli1", NAMES, 2);
  const card = await popup.proposal();
  assert.match(await card.innerText(), /cli1.*proposes a key shared by 3 participants/s);
  assert.deepEqual(await popup.wallets(), []);
  await popup.picture("proposal");
  const sessionId = await popup.join();
  const made = await allMade([cli1, cli2], TWO_OF_THREE);
  assert.equal(made.session_id, sessionId);
  await popup.phase(sessionId, "done");
  await popup.wallet(made.pubkey);
  assert.deepEqual(await popup.wallets(), [made.pubkey]);
  assert.deepEqual(await popup.peers(sessionId), { cli1: "ready", cli2: "ready" });
  await popup.picture("done");
  await allKeep(stage, ["cli1", "cli2"], made);
  popup.isClean();
});

scenario("the extension proposes", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const nodes = ["cli1", "cli2"].map((name) => stage.join(server, name));
  await Promise.all(nodes.map((node) => node.until("registered")));
  await popup.propose({ participants: ["cli1", "cli2"], threshold: 3, sessionId: "from-the-popup" });
  const made = await allMade(nodes, { participants: NAMES, threshold: 3 });
  assert.equal(made.session_id, "from-the-popup");
  await popup.phase("from-the-popup", "done");
  await popup.wallet(made.pubkey);
  await allKeep(stage, ["cli1", "cli2"], made);
  popup.isClean();
});

scenario("two extensions and a command-line node", async (stage) => {
  const server = await stage.server();
  const one = await installed.fresh(stage, "one");
  const other = stage.add(await Extension.start("other"));
  const popups = await Promise.all([online(one, server, "ext1"), online(other, server, "ext2")]);
  const names = ["cli", "ext1", "ext2"];
  const cli = stage.create(server, "cli", names, 2);
  const [sessionId] = await Promise.all(popups.map((popup) => popup.join()));
  const made = await allMade([cli], { participants: names, threshold: 2 });
  for (const popup of popups) {
    await popup.phase(sessionId, "done");
    await popup.wallet(made.pubkey);
    popup.isClean();
  }
  await allKeep(stage, ["cli"], made);
});

scenario("the popup of the toolbar, closed and opened again mid-ceremony", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  await (await online(extension, server, "browser")).close();
  const cli1 = stage.create(server, "cli1", NAMES, 2);
  const first = await extension.toolbarPopup();
  await first.shows('[data-testid="proposal"] [data-testid="join"]');
  await first.picture("toolbar-proposal");
  await first.click('[data-testid="allow-unverified"]');
  await first.click('[data-testid="join"]');
  await first.shows('[data-testid="session"]');
  await first.close();
  // With no popup open it goes as far as it can without cli2.
  await cli1.until({ event: "peer_connected", peer_id: "browser" });
  const { session_id } = await cli1.until("proposed");
  const second = await extension.toolbarPopup();
  await second.shows(`[data-testid="session"][data-session-id="${session_id}"][data-phase="meshing"]`);
  await second.shows('[data-testid="peer"][data-peer-id="cli1"][data-state="connected"]');
  await second.shows('[data-testid="peer"][data-peer-id="cli2"][data-state="waiting"]');
  await second.picture("toolbar-meshing");
  const made = await allMade([cli1, stage.join(server, "cli2")], TWO_OF_THREE);
  await second.shows(`[data-testid="session"][data-phase="done"]`);
  await second.shows(`[data-testid="wallet"][data-pubkey="${made.pubkey}"]`);
  await second.picture("toolbar-done");
  await second.close();
});

scenario("the popup closed right after Join, and opened again when all is over", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await online(extension, server, "browser");
  const cli2 = stage.join(server, "cli2");
  await cli2.until("registered");
  const cli1 = stage.create(server, "cli1", NAMES, 2);
  const sessionId = await popup.join();
  await popup.close();
  const made = await allMade([cli1, cli2], TWO_OF_THREE);
  const again = await extension.popup();
  await again.isOnline();
  await again.phase(sessionId, "done");
  await again.wallet(made.pubkey);
  again.isClean();
});

scenario("what is typed into the popup is still there when it opens again, but no password", async (stage) => {
  const server = await stage.server();
  const extension = await installed.fresh(stage);
  const popup = await extension.popup();
  await popup.shows(popup.at("password-confirm"), "the form for a new password");
  await popup.at("password").fill("half a password");
  await popup.close();
  const second = await online(extension, server, "browser");
  assert.equal(await second.at("password").inputValue(), "");
  await second.at("new-session").click();
  await second.at("new-participants").fill("cli1, cli2, cl");
  await second.at("new-threshold").fill("3");
  await second.close();
  const third = await extension.popup();
  await third.isOnline();
  await third.shows(third.at("new-participants"), "the form for a new session, still open");
  assert.equal(await third.at("new-participants").inputValue(), "cli1, cli2, cl");
  assert.equal(await third.at("new-threshold").inputValue(), "3");
});

scenario("declining from the popup: the proposer ends with 4 and is told who", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const cli2 = stage.join(server, "cli2");
  await cli2.until("registered");
  const cli1 = stage.create(server, "cli1", NAMES, 2);
  const card = await popup.proposal();
  await card.getByTestId("decline").click();
  for (const node of [cli1, cli2]) {
    const { reason, kind } = await aborts(node, { code: 4, peer: "browser" });
    assert.equal(kind, "declined");
    assert.match(reason, /browser declined/);
  }
  await card.waitFor({ state: "detached" });
  assert.deepEqual(await popup.wallets(), []);
});

scenario("joining without allowing unverified participants is refused, and explained", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const cli1 = stage.create(server, "cli1", ["browser", "cli1"], 2);
  const card = await popup.proposal();
  await card.getByTestId("join").click();
  const alert = card.getByRole("alert").filter({ hasText: "unverified" });
  await popup.shows(alert, "why it does not join");
  assert.match(await alert.innerText(), /tick .*Allow unverified participants/i);
  await popup.picture("unverified");
  assert.equal(cli1.all({ event: "accepted" }).length, 0);
  const sessionId = await popup.join();
  await allMade([cli1], { participants: ["browser", "cli1"], threshold: 2 });
  await popup.phase(sessionId, "done");
});

scenario("a participant that dies is named in the popup", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const cli1 = stage.create(server, "cli1", NAMES, 2);
  const sessionId = await popup.join();
  await popup.peerIs(sessionId, "cli1", "connected");
  await popup.picture("meshing");
  cli1.signal("SIGKILL");
  await popup.peerIs(sessionId, "cli1", "lost");
  await popup.picture("lost");
  await popup.phase(sessionId, "aborted");
  await popup.picture("aborted");
  assert.match(await popup.session(sessionId).innerText(), /Because of .*cli1/);
});

scenario("a participant that stops is named in the popup at once", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const cli1 = stage.create(server, "cli1", NAMES, 2);
  const sessionId = await popup.join();
  await popup.peerIs(sessionId, "cli1", "connected");
  cli1.signal("SIGINT");
  await popup.phase(sessionId, "aborted", 5);
  assert.match(await popup.session(sessionId).innerText(), /Because of .*cli1/);
});
