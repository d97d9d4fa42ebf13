// What carries a session when the network between its nodes does not let UDP through, or does so later.

/** @import { Process } from "./lib/process.mjs" */
/** @import { Screen } from "./lib/screen.mjs" */
/** @import { Stage } from "./lib/stage.mjs" */

import assert from "node:assert/strict";
import { after } from "node:test";

import { allMade } from "./lib/agree.mjs";
import { online, shared } from "./lib/extension.mjs";
import { Network } from "./lib/network.mjs";
import { scenario } from "./lib/stage.mjs";
import { eventually } from "./lib/wait.mjs";

const installed = shared();
after(() => installed.close());

const PAIR = { participants: ["browser", "cli"], threshold: 2 };

/**
 * The extension and a command-line node that have never met, on a network without UDP, at the safety words.
 * @param {Stage} stage
 */
async function withoutUdp(stage) {
  const network = stage.add(await Network.start(await stage.server(), { udp: false }));
  const popup = await online(await installed.fresh(stage), network, "browser");
  const flags = ["--server", network.url, "--peer-id", "cli", ...stage.local("cli"), "--json", "-v"];
  const cli = stage.startAsked("cli", "join", ...flags);
  await cli.until("registered");
  await popup.propose({ participants: ["cli"], threshold: 2, sessionId: "s", unverified: false });
  await cli.until({ event: "peer_connected", peer_id: "browser", carrier: "relay" });
  await eventually(20, "both to try UDP", () => network.blocked > 2);
  await Promise.all([cli.until("words"), popup.words("s")]);
  return { network, popup, cli };
}

/** @param {Screen} popup @param {Process} cli */
async function theyMatch(popup, cli) {
  cli.type("yes");
  await popup.at("words-match").click();
  const made = await allMade([cli], PAIR);
  await popup.wallet(made.pubkey);
  assert.equal(made.verified, true);
}

/** Whether the popup says by what its peer is reached. */
const carriers = async (/** @type {Screen} */ popup) => (await popup.session("s").getByTestId("peer").allInnerTexts()).join();

scenario("UDP is blocked: the extension and a command-line node finish over the relay", async (stage) => {
  const { network, popup, cli } = await withoutUdp(stage);
  assert.match(await carriers(popup), /through the server, sealed/);
  await theyMatch(popup, cli);
  assert.deepEqual(cli.all({ event: "carrier" }), []);
  assert.equal(network.passed, 0);
  popup.isClean();
});

scenario("UDP opens later: they move to the data channel and finish there", async (stage) => {
  const { network, popup, cli } = await withoutUdp(stage);
  network.udp = true;
  await cli.until({ event: "carrier", peer_id: "browser", carrier: "direct" });
  await eventually(10, "the popup to say that cli is reached directly", async () => /direct/.test(await carriers(popup)));
  const relayed = network.relayed.length;
  await theyMatch(popup, cli);
  const since = network.relayed.slice(relayed).map((text) => JSON.parse(text).type);
  assert.ok(!since.includes("frame"), `the shares went over the channel, the relay saw: ${since.join(" ")}`);
  popup.isClean();
});

scenario("UDP is blocked while the key is made: they move back to the relay", async (stage) => {
  const { network, popup, cli } = await withoutUdp(stage);
  network.udp = true;
  await cli.until({ event: "carrier", peer_id: "browser", carrier: "direct" });
  network.udp = false;
  await cli.until({ event: "carrier", peer_id: "browser", carrier: "relay" });
  await theyMatch(popup, cli);
  popup.isClean();
});
