// What key generation and signing cost one participant: our wasm in Chromium, beside @noble/curves in the same Chromium and beside
// our native code, whose figures `cargo bench` has just left. Prints medians and ratios. Run by `cargo xtask bench`.

/** @import { Event } from "./lib/types.js" */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

import { startBrowser } from "./lib/chromium.mjs";
import { inProject } from "./lib/settings.mjs";

const GROUPS = [[2, 3], [3, 5], [7, 10]];
const PARTS = ["part1", "part2", "part3", "commit", "sign", "aggregate"];
/** Calls in one timed stretch (a browser's clock is coarse), and stretches. */
const CALLS = 10;
const STRETCHES = 9;

/** @type {Record<string, string>} */
const FOLDERS = {
  "/pkg/": process.env.FROSTMESH_BENCH_PKG || inProject("target/bench-pkg"),
  "/modules/": inProject("tests/interop/node_modules"),
};
/** @type {Record<string, string>} */
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };
const IMPORTS = { "@noble/curves/": "/modules/@noble/curves/", "@noble/hashes/": "/modules/@noble/hashes/" };
const PAGE = `<!doctype html><script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>`;

/** Serves the page and the two folders. */
async function serve() {
  const server = createServer(async ({ url = "" }, response) => {
    const place = Object.keys(FOLDERS).find((prefix) => url.startsWith(prefix));
    const path = place && normalize(url.slice(place.length));
    try {
      if (path?.startsWith("..")) throw new Error("outside");
      const body = path ? await readFile(join(FOLDERS[place], path)) : PAGE;
      response.writeHead(200, { "content-type": path ? TYPES[extname(path)] ?? "text/plain" : "text/html" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  return server;
}

/**
 * In the page: times of our wasm, ms a call, one for each stretch.
 * @param {Event} how
 */
async function measureWasm({ threshold, total, calls, stretches, parts }) {
  const { default: init, Bench } = await import(/** @type {string} */ ("/pkg/frostmesh.js"));
  await init();
  const times = Object.fromEntries(parts.map((/** @type {string} */ part) => [part, []]));
  for (let stretch = 0; stretch <= stretches; stretch += 1) {
    const bench = new Bench(threshold, total, calls);
    for (const part of parts) {
      const start = performance.now();
      for (let call = 0; call < calls; call += 1) bench[part]();
      // The first stretch warms up.
      if (stretch) times[part].push((performance.now() - start) / calls);
    }
    bench.free();
  }
  return times;
}

/**
 * In the page: the same of @noble/curves.
 * @param {Event} how
 */
async function measureNoble({ threshold, total, calls, stretches }) {
  const { secp256k1_FROST } = await import(/** @type {string} */ ("@noble/curves/secp256k1.js"));
  const { DKG, Identifier } = secp256k1_FROST;
  const signers = { min: threshold, max: total };
  /** @type {Record<string, number[]>} */
  const times = { part1: [], part2: [], part3: [], commit: [], sign: [], aggregate: [] };
  const timed = (/** @type {string} */ name, /** @type {any} */ keep, /** @type {any} */ work) => {
    const start = performance.now();
    const made = Array.from({ length: calls }, work);
    if (keep) times[name].push((performance.now() - start) / calls);
    return made;
  };
  const ids = Array.from({ length: total }, (_, place) => Identifier.fromNumber(place + 1));
  for (let stretch = 0; stretch <= stretches; stretch += 1) {
    const ours = timed("part1", stretch, () => DKG.round1(ids[0], signers));
    const others = ours.map(() => ids.slice(1).map((id) => DKG.round1(id, signers)));
    const seen = others.map((list) => list.map((other) => other.public));
    timed("part2", stretch, (/** @type {string} */ _, /** @type {number} */ call) => DKG.round2(ours[call].secret, seen[call]));
    const shares = others.map((list, call) => {
      const all = [ours[call].public, ...seen[call]];
      return list.map((other, place) => {
        const rest = all.filter(({ identifier }) => identifier !== ids[place + 1]);
        return DKG.round2(other.secret, rest)[ids[0]];
      });
    });
    timed("part3", stretch, (/** @type {string} */ _, /** @type {number} */ call) => DKG.round3(ours[call].secret, seen[call], shares[call]));

    const [deal, message] = [secp256k1_FROST.trustedDealer(signers), new Uint8Array(32).fill(7)];
    const secrets = Object.values(deal.secretShares).slice(0, threshold);
    const drawn = timed("commit", stretch, () => secp256k1_FROST.commit(secrets[0]));
    const cosigners = secrets.slice(1).map((secret) => [secret, secp256k1_FROST.commit(secret)]);
    const lists = drawn.map(({ commitments }) => [commitments, ...cosigners.map(([, made]) => made.commitments)]);
    const made = timed("sign", stretch, (/** @type {string} */ _, /** @type {number} */ call) =>
      secp256k1_FROST.signShare(secrets[0], deal.public, drawn[call].nonces, lists[call], message));
    // One signature is made whole, and aggregated over and over.
    const rest = cosigners.map(([secret, { nonces }]) => [secret.identifier, secp256k1_FROST.signShare(secret, deal.public, nonces, lists[0], message)]);
    const sigShares = Object.fromEntries([[secrets[0].identifier, made[0]], ...rest]);
    timed("aggregate", stretch, () => secp256k1_FROST.aggregate(deal.public, lists[0], message, sigShares));
  }
  return times;
}

/** @param {number[]} times */
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];

/**
 * What criterion measured natively, in ms.
 * @param {string} part
 * @param {string} group
 */
async function native(part, group) {
  const folder = process.env.FROSTMESH_CRITERION || inProject("target/criterion");
  const name = `${part.replace(/^part/, "part ")}, ${group}`;
  try {
    const estimates = JSON.parse(await readFile(join(folder, name, "new", "estimates.json"), "utf8"));
    return estimates.median.point_estimate / 1e6;
  } catch {
    return null;
  }
}

const server = await serve();
const browser = await startBrowser();
try {
  const context = await browser.person();
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}/`);
  console.log(`ms a participant, median of ${STRETCHES}       native     wasm    noble   wasm/native  noble/wasm`);
  for (const [threshold, total] of GROUPS) {
    const group = `${threshold}-of-${total}`;
    const what = { threshold, total, calls: CALLS, stretches: STRETCHES, parts: PARTS };
    const wasm = await page.evaluate(measureWasm, what);
    const noble = await page.evaluate(measureNoble, what);
    for (const part of PARTS) {
      const [ours, theirs, plain] = [median(wasm[part]), median(noble[part]), await native(part, group)];
      const columns = [
        plain === null ? "-" : plain.toFixed(3),
        ours.toFixed(3),
        theirs.toFixed(3),
        plain === null ? "-" : (ours / plain).toFixed(2),
        (theirs / ours).toFixed(2),
      ];
      console.log(`${group.padEnd(8)} ${part.padEnd(9)}${" ".repeat(13)}${columns.map((text) => text.padStart(9)).join("")}`);
    }
  }
} finally {
  await browser.close();
  server.close();
}
