// The browser's side of `cargo xtask demo`: starts Chromium with the unpacked extension and does in its popup what a
// person would do. Prints one JSON object a line; ends when its stdin ends.

import { createRequire } from "node:module";

const require = createRequire(new URL("../tests/e2e/package.json", import.meta.url));
const { chromium } = require("playwright-core");

/** Of the popup as a page, CSS pixels. */
const WIDTH = 420;

const settings = JSON.parse(process.argv[2]);
const say = (event, fields = {}) => console.log(JSON.stringify({ event, ...fields }));
const fail = (error) => say("error", { error: error.message.replace(/\x1b\[[0-9;]*m/g, "") });
const byTestId = (scope, id) => scope.locator(`[data-testid="${id}"]`);

async function start() {
  const args = [
    `--disable-extensions-except=${settings.extension}`,
    `--load-extension=${settings.extension}`,
    // For Extensions.loadUnpacked, below.
    "--enable-unsafe-extension-debugging",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    // A machine without a network has only its loopback address.
    "--allow-loopback-in-peer-connection",
  ];
  if (!settings.headed) args.push("--headless=new");
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  const context = await chromium.launchPersistentContext(settings.profile, {
    executablePath: settings.chrome,
    // Playwright's own headless mode is the old one, which loads no extensions.
    headless: false,
    viewport: { width: WIDTH, height: 640 },
    deviceScaleFactor: settings.picture ? 2 : 1,
    args,
    ignoreDefaultArgs: ["--disable-extensions"],
  });
  context.setDefaultTimeout(60_000);
  return context;
}

/** The extension's id. Chrome of the brand ignores --load-extension, so it is asked to load it once it runs. */
async function extensionId(context) {
  const started = context.waitForEvent("serviceworker", { timeout: 5_000 }).catch(() => null);
  const worker = context.serviceWorkers()[0] ?? (await started);
  if (worker) return new URL(worker.url()).host;
  const session = await context.browser().newBrowserCDPSession();
  return (await session.send("Extensions.loadUnpacked", { path: settings.extension })).id;
}

/** The popup as a page: the same document, which stays open. */
async function openPopup(context) {
  const id = await extensionId(context);
  const popup = context.pages()[0] ?? (await context.newPage());
  popup.on("pageerror", (error) => console.error(`popup: ${error.message}`));
  popup.on("console", (message) => message.type() === "error" && console.error(`popup: ${message.text()}`));
  await popup.exposeFunction("tellDemo", say);
  await popup.addInitScript(tellWhatHappens);
  await popup.goto(`chrome-extension://${id}/popup.html`);
  return popup;
}

/** Runs in the popup: tells the click on Join, and each phase of the session, as soon as they are there. */
function tellWhatHappens() {
  let told;
  const tellPhase = () => {
    const phase = document.querySelector('[data-testid="session"]')?.getAttribute("data-phase");
    if (phase && phase !== told) window.tellDemo("phase", { phase: (told = phase) });
  };
  const watched = { attributes: true, attributeFilter: ["data-phase"], childList: true, subtree: true };
  new MutationObserver(tellPhase).observe(document, watched);
  const tellJoin = ({ target }) => target.closest('[data-testid="join"]') && window.tellDemo("joined");
  document.addEventListener("click", tellJoin, { capture: true });
}

async function connect(popup) {
  await byTestId(popup, "password").fill(settings.password);
  await byTestId(popup, "password-confirm").fill(settings.password);
  await byTestId(popup, "password-submit").click();
  await byTestId(popup, "server-url").fill(settings.server);
  await byTestId(popup, "peer-id").fill(settings.peerId);
  await byTestId(popup, "connect").click();
  await popup.locator('[data-testid="connection"][data-state="online"]').waitFor({ state: "attached" });
  say("online");
}

async function join(popup) {
  const proposal = byTestId(popup, "proposal").first();
  await proposal.waitFor();
  say("proposed", { session_id: await proposal.getAttribute("data-session-id") });
  await byTestId(proposal, "allow-unverified").check();
  await byTestId(proposal, "join").click();
}

async function finish(popup) {
  // Before that, the key may be shown as not yet confirmed by all.
  await popup.locator('[data-testid="session"][data-phase="done"]').first().waitFor({ state: "attached" });
  const wallet = byTestId(popup, "wallet").first();
  await wallet.waitFor({ state: "attached" });
  say("wallet_created", { pubkey: await wallet.getAttribute("data-pubkey") });
  if (settings.picture) {
    const height = await popup.evaluate(() => document.documentElement.scrollHeight);
    await popup.setViewportSize({ width: WIDTH, height });
    await popup.screenshot({ path: settings.picture });
    say("picture");
  }
}

/** Resolves when whoever started this wants it to end. */
function ended() {
  return new Promise((resolve) => {
    process.stdin.on("end", resolve).on("error", resolve).resume();
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, resolve);
  });
}

const end = ended();
const context = await start().catch(fail);
if (context) {
  const play = async () => {
    const popup = await openPopup(context);
    await connect(popup);
    await join(popup);
    await finish(popup);
  };
  // Once the demo is ending, the browser closes under the play's hands; that is no failure.
  let ending = false;
  const played = play().catch((error) => ending || fail(error));
  await end;
  ending = true;
  await context.close();
  await played;
}
process.exit(0);
