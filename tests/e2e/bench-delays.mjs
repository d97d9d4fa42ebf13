// From "accepted by all" to "wallet created by all" when everything takes its time to arrive: command-line nodes on a network
// with so much delay between each two of them, one way. In milliseconds, and in round trips. Run by `cargo xtask bench`.

import { Network } from "./lib/network.mjs";
import { Stage } from "./lib/stage.mjs";

const DELAYS = [0, 50, 200];
const TOTALS = [3, 5];
const RUNS = Number(process.env.FROSTMESH_DELAY_RUNS || 5);

/** What nodes do: flags, and what the network makes of what they relay. */
const WAYS = {
  auto: ["--carrier", "auto"],
  direct: ["--carrier", "direct"],
  relay: ["--carrier", "relay"],
  // Nobody hears that others know links: they talk as baseline peers do.
  baseline: ["--allow-unverified"],
};

/** @param {number[]} numbers */
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/**
 * One session; milliseconds from the last acceptance to the last wallet.
 * @param {number} total
 * @param {number} delay
 * @param {keyof typeof WAYS} way
 */
async function session(total, delay, way) {
  const stage = await Stage.set("bench");
  try {
    const plain = way === "baseline";
    const network = stage.add(await Network.start(await stage.server(), { delay, plain }));
    const names = Array.from({ length: total }, (_, n) => `node${n + 1}`);
    const flags = (/** @type {string} */ name) => ["--server", network.url, "--peer-id", name, ...stage.local(name), "--json", ...WAYS[way]];
    const trust = plain ? [] : ["--trust-first-use"];
    const joiners = names.slice(1).map((name) => stage.start(name, "join", ...flags(name), ...trust));
    await Promise.all(joiners.map((node) => node.until("registered")));
    const proposal = ["--participants", names.join(), "--threshold", "2"];
    const first = stage.start("node1", "create", ...flags("node1"), ...trust, ...proposal);
    const nodes = [first, ...joiners];
    await Promise.all(nodes.map((node) => node.until("wallet_created", 120)));
    const accepted = Math.max(...joiners.map((node) => node.whenWas({ event: "accepted", peer_id: node.name })));
    return Math.max(...nodes.map((node) => node.whenWas({ event: "wallet_created" }))) - accepted;
  } finally {
    await stage.clear();
  }
}

console.log(`accepted by all -> wallet created by all, median of ${RUNS} runs`);
console.log("nodes  one way     way        ms   round trips   to baseline");
for (const total of TOTALS) {
  for (const delay of DELAYS) {
    /** @type {Record<string, number>} */
    const times = {};
    for (const way of /** @type {(keyof typeof WAYS)[]} */ (Object.keys(WAYS)).toReversed()) {
      const runs = [];
      for (let run = 0; run < RUNS; run += 1) runs.push(await session(total, delay, way));
      times[way] = median(runs);
      const trips = delay ? (times[way] / (2 * delay)).toFixed(1) : "-";
      const ratio = (times[way] / times.baseline).toFixed(2);
      const columns = [`${total}`.padStart(5), `${delay} ms`.padStart(8), way.padStart(9), times[way].toFixed(0).padStart(9)];
      console.log(...columns, trips.padStart(13), ratio.padStart(13));
    }
  }
}
