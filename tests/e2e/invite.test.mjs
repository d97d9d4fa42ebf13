// Sessions in which everyone proves who it is: by an invite, or by safety words that people compare.

/** @import { Stage } from "./lib/stage.mjs" */
/** @import { Server } from "./lib/types.js" */

import assert from "node:assert/strict";
import { after } from "node:test";

import { aborts, allMade } from "./lib/agree.mjs";
import { sharedBrowser, startBrowser } from "./lib/chromium.mjs";
import { online, shared } from "./lib/extension.mjs";
import { Screen } from "./lib/screen.mjs";
import { scenario } from "./lib/stage.mjs";

const installed = shared();
const browsers = sharedBrowser();
after(async () => {
  await installed.close();
  await browsers.close();
});

const FINGERPRINT = /^([a-z2-7]{4}-){7}[a-z2-7]{4}$/;

/** A command-line node that takes part by an invite. */
const guest = (/** @type {Stage} */ stage, /** @type {string} */ name, /** @type {string} */ uri) =>
  stage.start(name, "join", uri, "--peer-id", name, ...stage.local(name), "--json", "-v");

/** A command-line node that invites. */
const host = (/** @type {Stage} */ stage, /** @type {Server} */ server, /** @type {string} */ name, /** @type {string[]} */ ...more) =>
  stage.start(name, "create", "--server", server.url, "--peer-id", name, ...more, ...stage.local(name), "--json", "-v");

/** Flags of a command-line node that proves who it is, and wants that of others. */
const strict = (/** @type {Stage} */ stage, /** @type {Server} */ server, /** @type {string} */ name) =>
  ["--server", server.url, "--peer-id", name, ...stage.local(name), "--json", "-v"];

/**
 * The card of a wallet says that everyone was verified, and that all signed.
 * @param {Screen} screen
 * @param {string} pubkey
 */
async function isCertified(screen, pubkey) {
  const text = await (await screen.wallet(pubkey)).innerText();
  assert.match(text, /certified/);
  assert.match(text, /\bverified/);
  assert.doesNotMatch(text, /unverified/);
}

/**
 * The wallets of command-line nodes are marked verified, and their certificates hold.
 * @param {Stage} stage
 * @param {string[]} names
 * @param {string} pubkey
 */
async function areCertified(stage, names, pubkey) {
  for (const name of names) {
    const [wallet] = await stage.walletsOf(name);
    assert.deepEqual([wallet?.pubkey, wallet?.status, wallet?.verified], [pubkey, "active", true], name);
    const { code, stderr } = await stage.run("wallets", "verify", pubkey, ...stage.local(name), "--json");
    assert.equal(code, 0, stderr);
  }
}

scenario("the extension makes an invite, and two command-line nodes join by it", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  await popup.picture("invite-form");
  const uri = await popup.invite({ total: 3, threshold: 2, name: "Treasury" });
  assert.match(uri, /^frostmesh:server=/);
  await popup.says("Still to come: 2");
  const first = guest(stage, "cli1", uri);
  const row = await popup.shows(popup.at("guest", '[data-peer-id="cli1"]'), "that cli1 has come");
  assert.match(await row.locator("p").innerText(), FINGERPRINT);
  await popup.says("Still to come: 1");
  await popup.page.getByText("QR code", { exact: true }).click();
  await popup.shows(popup.page.locator("svg.qr"), "the QR code");
  await popup.picture("invite-open");
  await popup.page.emulateMedia({ colorScheme: "dark" });
  await popup.picture("invite-open-dark");
  await popup.page.emulateMedia({ colorScheme: "light" });
  const made = await allMade([first, guest(stage, "cli2", uri)], {
    participants: ["browser", "cli1", "cli2"],
    threshold: 2,
  });
  await popup.phase(made.session_id, "done");
  assert.match(await popup.session(made.session_id).innerText(), /Treasury/);
  await isCertified(popup, made.pubkey);
  await areCertified(stage, ["cli1", "cli2"], made.pubkey);
  await popup.at("invite").waitFor({ state: "detached" });
  // Whom it met so is a contact now, and verified.
  await popup.at("contacts").click();
  const contact = await popup.shows(popup.at("contact", '[data-name="cli1"][data-status="verified"]'), "cli1 as a contact");
  await popup.picture("invite-done");
  await contact.getByTestId("contact-rename").click();
  await contact.getByTestId("contact-name").fill("Ann");
  await popup.page.keyboard.press("Enter");
  const ann = await popup.shows(popup.at("contact", '[data-name="Ann"]'), "the new name");
  await ann.getByTestId("contact-block").click();
  await popup.shows(popup.at("contact", '[data-name="Ann"][data-status="blocked"]'), "that Ann is blocked");
  await popup.picture("contacts");
  await popup.page.emulateMedia({ colorScheme: "dark" });
  await popup.picture("contacts-dark");
  await ann.getByTestId("contact-forget").click();
  await ann.getByTestId("contact-forget").click();
  await ann.waitFor({ state: "detached" });
  popup.isClean();
});

scenario("an invite that was withdrawn is worth nothing", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const uri = await popup.invite({ total: 2, threshold: 2 });
  await popup.at("invite-withdraw").click();
  await popup.at("invite").waitFor({ state: "detached" });
  const late = guest(stage, "late", uri);
  await late.until("registered");
  await popup.page.waitForTimeout(1500);
  assert.equal(late.all({ event: "proposed" }).length, 0);
  assert.equal(await popup.at("session").count(), 0);
});

scenario("a freshly installed extension joins by a pasted invite, which names the server", async (stage) => {
  const server = await stage.server();
  const popup = await (await installed.fresh(stage)).popup();
  await popup.setPassword();
  await popup.picture("fresh");
  const proposal = ["--total", "3", "--threshold", "2", "--name", "X"];
  const cli1 = host(stage, server, "cli1", ...proposal);
  const { uri } = await cli1.until("invite");
  await popup.joinInvite("frostmesh:nothing");
  await popup.says(/That invite cannot be used\..*damaged/);
  await popup.joinInvite(uri, "browser");
  await popup.says(/Waiting for .*cli1.* to begin/);
  await popup.picture("invite-waits");
  await popup.isOnline();
  const made = await allMade([cli1, guest(stage, "cli2", uri)], {
    participants: ["browser", "cli1", "cli2"],
    threshold: 2,
  });
  await popup.phase(made.session_id, "done");
  await isCertified(popup, made.pubkey);
  await areCertified(stage, ["cli1", "cli2"], made.pubkey);
  popup.isClean();
});

scenario("an invite opened as a link of the page: joined, and gone from the address", async (stage) => {
  const server = await stage.server();
  const cli = host(stage, server, "cli", "--total", "2", "--threshold", "2");
  const { uri } = await cli.until("invite");
  const context = await browsers.person();
  const page = new Screen(await context.newPage(), "page");
  stage.add({ name: "page", report: (s) => page.report(s), close: () => context.close() });
  await page.page.goto(`${server.page}#${uri.slice("frostmesh:".length)}`);
  await page.setPassword();
  assert.equal(page.page.url(), server.page);
  await page.shows(page.at("invite-join", ":focus"), "the invite, ready to be joined");
  await page.picture("invite-link");
  await page.at("invite-peer-id").fill("page");
  await page.at("invite-join").click();
  const made = await allMade([cli], { participants: ["cli", "page"], threshold: 2 });
  await page.phase(made.session_id, "done");
  await isCertified(page, made.pubkey);
  await areCertified(stage, ["cli"], made.pubkey);
  // The same in a page that is open and connected already.
  const other = host(stage, server, "other", "--total", "2", "--threshold", "2");
  const { uri: second } = await other.until("invite");
  await page.page.evaluate((fields) => (location.hash = fields), second.slice("frostmesh:".length));
  await page.shows(page.at("invite-join", ":focus"), "the second invite");
  assert.equal(page.page.url(), server.page);
  await page.at("invite-join").click();
  await allMade([other], { participants: ["other", "page"], threshold: 2 });
  page.isClean();
});

/**
 * A video (YUV4MPEG2) of one picture: what a camera sees that is held before a QR code.
 * @param {Screen} screen
 */
async function film(screen) {
  const { width, height, grey } = await screen.page.locator("svg.qr").evaluate((/** @type {SVGSVGElement} */ svg) => {
    const [width, height, side] = [640, 480, 400];
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const { x, y, width: modules } = svg.viewBox.baseVal;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    context.setTransform(side / modules, 0.05, -0.05, side / modules, 120 - (x * side) / modules, 40 - (y * side) / modules);
    context.fillStyle = "#000";
    context.fill(new Path2D(svg.querySelector("path")?.getAttribute("d") ?? ""));
    const { data } = context.getImageData(0, 0, width, height);
    return { width, height, grey: Array.from({ length: width * height }, (_, i) => data[4 * i]) };
  });
  const head = Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\nFRAME\n`);
  return Buffer.concat([head, Buffer.from(grey), Buffer.alloc((width * height) / 2, 128)]);
}

scenario("an invite is read from its QR code with the camera, and joined", async (stage) => {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const uri = await popup.invite({ total: 2, threshold: 2, name: "Treasury" });
  await popup.page.getByText("QR code", { exact: true }).click();
  await popup.shows(popup.page.locator("svg.qr"), "the QR code");
  const browser = await startBrowser({ camera: await stage.file("camera.y4m", await film(popup)) });
  stage.add({ name: "browser with a camera", report: () => "", close: () => browser.close() });
  const context = await browser.person();
  const page = new Screen(await context.newPage(), "page");
  stage.add({ name: "page", report: (s) => page.report(s), close: () => context.close() });
  await page.page.goto(server.page);
  await page.setPassword();
  await page.at("invite-scan").click();
  await page.shows(page.at("invite-join", ":focus"), "that it has read the invite");
  assert.equal(await page.at("invite-paste").inputValue(), uri);
  assert.equal(await page.at("invite-camera").count(), 0, "the camera is off");
  await page.at("invite-peer-id").fill("page");
  await page.at("invite-join").click();
  const session = page.page.locator('[data-testid="session"][data-phase="done"]');
  await page.shows(session, "that the key is made");
  await isCertified(page, (await page.wallets())[0] ?? "");
  page.isClean();
});

scenario("without a camera the page says so, and a pasted invite does", async (stage) => {
  const server = await stage.server();
  const context = await browsers.person();
  const page = new Screen(await context.newPage(), "page");
  stage.add({ name: "page", report: (s) => page.report(s), close: () => context.close() });
  await page.page.goto(server.page);
  await page.setPassword();
  await page.at("invite-scan").click();
  await page.says(/There is no camera that this page may use/);
  await page.picture("invite-no-camera");
});

/**
 * The extension and a command-line node that have never met, at the safety words.
 * @param {Stage} stage
 */
async function atTheWords(stage) {
  const server = await stage.server();
  const popup = await online(await installed.fresh(stage), server, "browser");
  const cli = stage.startAsked("cli", "join", ...strict(stage, server, "cli"));
  await cli.until("registered");
  await popup.propose({ participants: ["cli"], threshold: 2, sessionId: "words", unverified: false });
  const { words } = await cli.until("words");
  assert.equal(await popup.words("words"), words.join(" "), "the same words for both");
  return { server, popup, cli };
}

scenario("safety words that match make a verified wallet, and are not asked for again", async (stage) => {
  const { server, popup, cli } = await atTheWords(stage);
  await popup.picture("words");
  await popup.page.emulateMedia({ colorScheme: "dark" });
  await popup.picture("words-dark");
  await popup.page.emulateMedia({ colorScheme: "light" });
  cli.type("yes");
  await popup.page.waitForTimeout(500);
  assert.deepEqual(await popup.wallets(), [], "nothing before the person here has compared them, too");
  await popup.at("words-match").click();
  const made = await allMade([cli], { participants: ["browser", "cli"], threshold: 2 });
  await popup.phase("words", "done");
  await isCertified(popup, made.pubkey);
  await areCertified(stage, ["cli"], made.pubkey);
  // The other way round, the command line proposes, and the proposal needs no allowance.
  const proposal = ["--participants", "browser,cli", "--threshold", "2"];
  const again = stage.start("cli", "create", ...strict(stage, server, "cli"), ...proposal);
  const card = await popup.proposal();
  assert.equal(await card.getByTestId("allow-unverified").isVisible(), false);
  const sessionId = await popup.join();
  const second = await allMade([again], { participants: ["browser", "cli"], threshold: 2 });
  await popup.phase(sessionId, "done");
  assert.equal(again.all({ event: "words" }).length, 0);
  await isCertified(popup, second.pubkey);
  popup.isClean();
});

scenario("safety words that differ end the session", async (stage) => {
  const { popup, cli } = await atTheWords(stage);
  await popup.at("words-differ").click();
  await popup.phase("words", "aborted");
  const { reason } = await aborts(cli, { code: 4 });
  assert.match(reason, /words differ/);
  assert.deepEqual(await popup.wallets(), []);
  await popup.picture("words-differ");
});
