// From "enough approve" to "everyone has the signature": command-line nodes on a network with so much delay between each two
// of them, one way. In milliseconds, and in round trips. Run by `cargo xtask bench`.

import { Network } from "./lib/network.mjs";
import { Stage } from "./lib/stage.mjs";

const DELAYS = [0, 50];
const GROUPS = [[2, 3], [5, 7]];
const RUNS = Number(process.env.FROSTMESH_DELAY_RUNS || 5);

const median = (/** @type {number[]} */ numbers) => numbers.toSorted((/** @type {number} */ a, /** @type {number} */ b) => a - b)[numbers.length >> 1];

/**
 * Milliseconds for each run: from the vote that was the last one needed to the signature, at who gave that vote.
 * @param {number} threshold
 * @param {number} total
 * @param {number} delay
 */
async function runs(threshold, total, delay) {
  const stage = await Stage.set("bench");
  try {
    const network = stage.add(await Network.start(await stage.server(), { delay }));
    const names = Array.from({ length: total }, (_, n) => `node${n + 1}`);
    const flags = (/** @type {string} */ name) => ["--server", network.url, "--peer-id", name, ...stage.local(name), "--json", "--trust-first-use"];
    const joiners = names.slice(1).map((name) => stage.start(name, "join", ...flags(name)));
    await Promise.all(joiners.map((node) => node.until("registered")));
    const proposal = ["--participants", names.join(), "--threshold", `${threshold}`];
    const creator = stage.start(names[0], "create", ...flags(names[0]), ...proposal);
    const { pubkey } = await creator.until("wallet_created");
    await Promise.all([creator, ...joiners].map((node) => node.exit(60)));
    const nodes = names.map((name) => stage.start(name, "node", ...stage.local(name), "--json"));
    await Promise.all(nodes.map((node) => node.until("registered")));
    await new Promise((resolve) => setTimeout(resolve, 1500 + 20 * delay)); // links and channels
    const times = [];
    for (let run = 0; run < RUNS; run += 1) {
      const asked = stage.start("sign", "sign", "--wallet", pubkey, "--text", `run ${run}`, ...stage.local(names[0]), "--json");
      const request = await nodes[threshold - 1].until({ event: "requested", shown: [["text", `run ${run}`]] });
      const vote = (/** @type {string} */ name) => stage.run("approve", request.request, ...stage.local(name), "--json");
      for (const name of names.slice(1, threshold - 1)) await vote(name);
      // All but one approve, everywhere.
      if (threshold > 2) await nodes[threshold - 1].until({ event: "voted", request: request.request, peer_id: names[threshold - 2] });
      const last = nodes[threshold - 1];
      await vote(names[threshold - 1]);
      await last.until({ event: "signature", request: request.request });
      times.push(last.whenWas({ event: "signature", request: request.request }) -
        last.whenWas({ event: "voted", request: request.request, peer_id: names[threshold - 1] }));
      await asked.exit();
    }
    return times;
  } finally {
    await stage.clear();
  }
}

console.log(`the last approval -> the signature at who gave it, median of ${RUNS} runs`);
console.log("group    one way        ms   round trips");
for (const [threshold, total] of GROUPS) {
  for (const delay of DELAYS) {
    const time = median(await runs(threshold, total, delay));
    const trips = delay ? (time / (2 * delay)).toFixed(1) : "-";
    console.log(`${`${threshold}-of-${total}`.padEnd(7)} ${`${delay} ms`.padStart(7)} ${time.toFixed(0).padStart(9)} ${trips.padStart(13)}`);
  }
}
