// Chromium as the tests want it: headless, without traffic of its own, able to reach this machine over WebRTC.

import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { CHROME, EXTENSION, PATIENCE } from "./settings.mjs";
import { within } from "./wait.mjs";

/** @type {typeof import("playwright-core")} */
const { chromium } = createRequire(import.meta.url)("playwright-core");

const ARGUMENTS = [
  "--headless=new",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
  // A machine without a network has only its loopback address.
  "--allow-loopback-in-peer-connection",
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];

const OPTIONS = {
  executablePath: CHROME,
  // Playwright's own headless mode is the old one, which loads no extensions.
  headless: false,
  viewport: { width: 420, height: 640 },
  timeout: 60_000,
};

/**
 * A browser without extensions. Its contexts share nothing.
 * @param {{ camera?: string }} [options] `camera` is a file that it sees in place of a camera's picture
 */
export async function startBrowser({ camera } = {}) {
  const { viewport: _, ...options } = OPTIONS;
  const fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${camera}`];
  const browser = await chromium.launch({ ...options, args: [...ARGUMENTS, ...(camera ? fake : [])] });
  return {
    /** A context of its own, as another person's browser would be. */
    async person() {
      const context = await browser.newContext({ viewport: OPTIONS.viewport });
      context.setDefaultTimeout(PATIENCE * 1000);
      return context;
    },
    close: () => within(PATIENCE, "the browser to close", browser.close()),
  };
}

/** One browser without extensions for all tests of a file. It starts with the first person that a test wants. */
export function sharedBrowser() {
  /** @type {ReturnType<typeof startBrowser> | null} */
  let starting = null;
  return {
    person: async () => (await (starting ??= startBrowser())).person(),
    close: async () => (await starting)?.close(),
  };
}

/** A browser with the unpacked extension and a profile of its own. */
export async function startWithExtension() {
  const profile = await mkdtemp(join(tmpdir(), "frostmesh-e2e-profile-"));
  const forget = () => rm(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const context = await chromium.launchPersistentContext(profile, {
      ...OPTIONS,
      args: [...ARGUMENTS, `--disable-extensions-except=${EXTENSION}`, `--load-extension=${EXTENSION}`],
      ignoreDefaultArgs: ["--disable-extensions"],
    });
    context.setDefaultTimeout(PATIENCE * 1000);
    // Its last writes may come after the window is gone.
    const close = () => within(PATIENCE, "the browser to close", context.close()).finally(forget);
    return { context, close };
  } catch (error) {
    await forget();
    throw error;
  }
}
