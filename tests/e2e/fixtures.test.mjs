// What earlier builds kept in a browser, read into the origin of the page and of the extension: it opens, signs together with
// the folder of a command line that is as old, and its audit trails go on. tests/fixtures holds what each of them made.

/** @import { Site } from "./lib/types.js" */
/** @import { Stage } from "./lib/stage.mjs" */

import assert from "node:assert/strict";
import { cp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";

import { sharedBrowser } from "./lib/chromium.mjs";
import { exportDatabase, importDatabase, layOut } from "./lib/database.mjs";
import { shared } from "./lib/extension.mjs";
import { verified } from "./lib/noble.mjs";
import { ask, cardOf } from "./lib/requests.mjs";
import { Screen } from "./lib/screen.mjs";
import { inProject } from "./lib/settings.mjs";
import { scenario } from "./lib/stage.mjs";

const installed = shared();
const browsers = sharedBrowser();
after(async () => {
  await installed.close();
  await browsers.close();
});

/**
 * Opens what carol's browser kept, signs with alice, and looks at what is kept then.
 * @param {Stage} stage
 * @param {Site} server
 * @param {Screen} screen
 * @param {{ folder: string, expected: any, exported: import("./lib/database.mjs").Exported }} fixture
 */
async function goesOn(stage, server, screen, { folder, expected, exported }) {
  const { carol, password } = expected;
  await screen.unlock("not this one");
  await screen.says("That password is wrong.");
  await screen.unlock(password);
  for (const { pubkey } of carol.wallets) await screen.wallet(pubkey);
  assert.deepEqual((await screen.wallets()).toSorted(), carol.wallets.map((/** @type {{ pubkey: string }} */ { pubkey }) => pubkey).toSorted());
  await screen.says(carol.identity.fingerprint);
  assert.equal(await screen.at("server-url").inputValue(), expected.server, "the server is remembered");
  await screen.connect(server, "carol");
  await screen.at("contacts").click();
  for (const { name, verified: trusted, blocked } of carol.contacts) {
    const status = blocked ? "blocked" : trusted ? "verified" : "unverified";
    await screen.shows(screen.at("contact", `[data-name="${name}"][data-status="${status}"]`), `${name}, ${status}`);
  }
  for (const { id, state } of expected.requests) {
    const seen = await cardOf(screen, id).getAttribute("data-state");
    // How far one is that was not signed in time, the clock says.
    const possible = state === "signed" ? [state] : [state, "expired", "open"];
    assert.ok(possible.includes(seen), `request ${id} was ${state}, and is ${seen}`);
  }

  await cp(join(folder, "alice"), stage.dataOf("alice"), { recursive: true });
  stage.passwordFile = await stage.file("password", password);
  const local = stage.local("alice");
  const [one, other] = Object.keys(carol.logs);
  // Alice asks, and carol approves; then the other way round, with the other suite.
  const asking = stage.start("alice asks", "sign", "--wallet", one, "--text", "after all this time", "--server", server.url, ...local, "--json");
  const asked = screen.at("request", '[data-state="open"]').filter({ hasText: "after all this time" });
  await (await screen.shows(asked, "the request")).getByTestId("approve").click();
  const first = await asking.until("signature");
  assert.equal(await asking.exit(), 0);
  const node = stage.start("alice stays", "node", ...local, "--json");
  await node.until({ event: "member", pubkey: other, peer_id: "carol", online: true });
  await ask(screen, other, "text", "and the other one");
  const { request } = await node.until({ event: "requested", pubkey: other });
  assert.equal((await stage.run("approve", request, ...local, "--json")).code, 0);
  const second = await node.until({ event: "signature", request });
  node.signal("SIGTERM");
  assert.equal(await node.exit(), 0);
  for (const signature of [first, second]) {
    verified(signature);
    assert.deepEqual(signature.signers, ["alice", "carol"]);
  }
  assert.deepEqual([first.suite, second.suite].toSorted(), ["secp256k1", "secp256k1-tr"]);

  const signed = async () => {
    for (const { request: id } of [first, second]) {
      await cardOf(screen, id, "signed").waitFor({ state: "attached" });
    }
  };
  await signed();
  await screen.page.getByRole("button", { name: "Lock", exact: true }).click();
  await screen.unlock(password);
  for (const { pubkey } of carol.wallets) await screen.wallet(pubkey);
  await signed();
  screen.isClean(/WebSocket connection to '.*' failed/);

  // The same envelopes in files: a command line tells more of the logs.
  const kept = await exportDatabase(screen.page);
  for (const [store, records] of Object.entries(exported.stores)) {
    if (!["trail", "wallets", "unconfirmed", "identity", "keystore"].includes(store)) continue;
    for (const [key, record] of Object.entries(records)) assert.deepEqual(kept.stores[store][key], record, `${store}, ${key}`);
  }
  await layOut(kept, stage.dataOf("carol"));
  for (const [pubkey, kinds] of Object.entries(/** @type {Record<string, Record<string, number>>} */ (carol.logs))) {
    const { code, events, stderr } = await stage.run("log", "verify", pubkey, ...stage.local("carol"), "--json");
    assert.equal(code, 0, stderr);
    const before = Object.values(kinds).reduce((sum, count) => sum + count);
    // A request, two votes, a share and a signature.
    assert.ok(events[0].entries >= before + 5, `${events[0].entries} entries after ${before}`);
  }
}

const fixtures = (await readdir(inProject("tests/fixtures"), { withFileTypes: true })).filter((entry) => entry.isDirectory());
for (const { name } of fixtures) {
  const folder = inProject(`tests/fixtures/${name}`);
  const read = async (/** @type {string} */ file) => JSON.parse(await readFile(join(folder, file), "utf8"));
  const fixture = { folder, expected: await read("expected.json"), exported: await read("carol.json") };

  scenario(`the page goes on with what the build of ${name} kept`, async (stage) => {
    const server = await stage.server();
    const context = await browsers.person();
    stage.add({ name: "browser of carol", report: () => "", close: () => context.close() });
    const plain = await context.newPage();
    await plain.goto(`${server.page}_locales/en/messages.json`); // of the same origin, and without a node
    await importDatabase((work, argument) => plain.evaluate(work, argument), fixture.exported);
    await plain.close();
    const screen = stage.add(new Screen(await context.newPage(), "page of carol"));
    await screen.page.goto(server.page);
    await goesOn(stage, server, screen, fixture);
  });

  scenario(`the extension goes on with what the build of ${name} kept`, async (stage) => {
    const server = await stage.server();
    const extension = await installed.fresh(stage, "carol");
    await importDatabase((work, argument) => extension.inWorker(work, argument), fixture.exported);
    await goesOn(stage, server, await extension.popup(), fixture);
  });
}
