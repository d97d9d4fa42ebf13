// Baseline peers, written from the protocol text alone (tests/interop), make keys with command-line nodes and with the
// extension, through our signaling server and through one that knows the baseline only.

/** @import { Stage } from "./lib/stage.mjs" */

import { after, describe } from "node:test";

import { allKeep, allMade } from "./lib/agree.mjs";
import { online, shared } from "./lib/extension.mjs";
import { scenario } from "./lib/stage.mjs";

const installed = shared();
after(() => installed.close());

const SERVERS = { "our server": (/** @type {Stage} */ stage) => stage.server(), "a baseline server": (/** @type {Stage} */ stage) => stage.baselineServer() };

for (const [through, start] of Object.entries(SERVERS)) {
  describe(`through ${through}`, () => {
    // The one with the smaller name offers the connection: of each pair, each kind of node does so once.
    for (const [proposer, ...joiners] of [["base1", "cli1", "cli2"], ["x-base", "cli1", "cli2"]]) {
      scenario(`baseline peer ${proposer} proposes to two command-line nodes`, async (stage) => {
        const server = await start(stage);
        const names = [proposer, ...joiners];
        const nodes = joiners.map((name) => stage.join(server, name));
        await Promise.all(nodes.map((node) => node.until("registered")));
        const peer = stage.baselineCreate(server, proposer, names, 2);
        const made = await allMade([...nodes, peer], { participants: names, threshold: 2 });
        await allKeep(stage, joiners, made);
      });
    }

    scenario("a command-line node proposes to two baseline peers", async (stage) => {
      const server = await start(stage);
      const names = ["base", "cli", "peer"];
      const peers = ["base", "peer"].map((name) => stage.baselineJoin(server, name, "--ask-acks"));
      await Promise.all(peers.map((peer) => peer.until("registered")));
      const cli = stage.create(server, "cli", names, 3);
      const made = await allMade([...peers, cli], { participants: names, threshold: 3 });
      await allKeep(stage, ["cli"], made);
      // What asks for an answer gets one.
      for (const peer of peers) for (const type of ["mesh_ready", "commitment", "ready", "share"]) {
        await peer.until({ event: "acked", peer_id: "cli", type }, 5);
      }
    });

    for (const [extension, baseline] of [["browser", "peer"], ["ext", "base"]]) {
      scenario(`the extension (${extension}) joins the session of a baseline peer (${baseline})`, async (stage) => {
        const server = await start(stage);
        const popup = await online(await installed.fresh(stage), server, extension);
        const participants = [extension, baseline];
        const peer = stage.baselineCreate(server, baseline, participants, 2);
        const sessionId = await popup.join();
        const made = await allMade([peer], { participants, threshold: 2 });
        await popup.phase(sessionId, "done");
        await popup.wallet(made.pubkey);
        popup.isClean();
      });
    }

    scenario("the extension proposes to a baseline peer and a command-line node", async (stage) => {
      const server = await start(stage);
      const popup = await online(await installed.fresh(stage), server, "browser");
      const base = stage.baselineJoin(server, "base");
      const cli = stage.join(server, "cli");
      await Promise.all([base, cli].map((node) => node.until("registered")));
      await popup.propose({ participants: ["base", "cli"], threshold: 2, sessionId: "mixed" });
      const made = await allMade([base, cli], { participants: ["base", "browser", "cli"], threshold: 2 });
      await popup.phase("mixed", "done");
      await popup.wallet(made.pubkey);
      await allKeep(stage, ["cli"], made);
      popup.isClean();
    });
  });
}

scenario("a baseline peer declines: the popup names it", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const base = stage.baselineJoin(server, "base", "--session-id", "another");
  await base.until("registered");
  await popup.propose({ participants: ["base"], threshold: 2, sessionId: "unwanted" });
  await popup.phase("unwanted", "aborted", 10);
  await popup.says(/Because of .*base.*not the expected session/);
  await popup.picture("declined");
});
