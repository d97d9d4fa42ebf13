// The UI as a person uses it: the popup (in a tab) and the web page are built from the same modules and test ids.

/** @import { Locator, Page } from "playwright-core" */
/** @import { Stage } from "./stage.mjs" */
/** @import { Server } from "./types.js" */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { PASSWORD, PATIENCE, PICTURES } from "./settings.mjs";

/** What a report shows of the screen; runs in the page. */
function look() {
  /** @type {NodeListOf<HTMLElement>} */
  const marked = document.querySelectorAll("[data-testid]");
  const told = [...marked].filter((node) => node.checkVisibility());
  const lines = told.map((node) => {
    const { testid, ...data } = node.dataset;
    return `  ${testid} ${JSON.stringify(data)}`;
  });
  return [...lines, document.body.innerText.replace(/\n+/g, "\n")].join("\n");
}

export class Screen {
  /** What the page complained about: nothing, if all is well. */
  /** @type {string[]} */
  complaints = [];

  /** @param {Page} page @param {string} name */
  constructor(page, name) {
    this.page = page;
    this.name = name;
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
  }

  /**
   * An element by its test id, and more of a selector.
   * @param {string} id
   * @param {string} [more]
   */
  at(id, more = "") {
    return this.page.locator(`[data-testid="${id}"]${more}`);
  }

  /** @param {string} id @param {string} [more] */
  session(id, more = "") {
    return this.at("session", `[data-session-id="${id}"]${more}`);
  }

  /**
   * Waits until something is on the screen.
   * @param {Locator} locator
   * @param {string} what
   */
  async shows(locator, what, seconds = PATIENCE) {
    await locator.first().waitFor({ timeout: seconds * 1000 }).catch((error) => {
      throw new Error(`waited ${seconds} s for ${this.name} to show ${what}`, { cause: error });
    });
    return locator.first();
  }

  // ---- password and server ----

  async setPassword(password = PASSWORD) {
    await this.shows(this.at("password-confirm"), "the form for a new password");
    await this.at("password").fill(password);
    await this.at("password-confirm").fill(password);
    await this.at("password-submit").click();
    await this.shows(this.at("server-url"), "the form for the server, after setting the password");
  }

  /** Types the password of a keystore that is there. */
  async unlock(password = PASSWORD) {
    await this.isLocked();
    await this.at("password").fill(password);
    await this.at("password-submit").click();
  }

  async isLocked() {
    await this.shows(this.at("password"), "that it is locked");
    await this.at("password-confirm").waitFor({ state: "detached" });
  }

  /** @param {Server} server @param {string} peerId */
  async connect(server, peerId) {
    await this.at("server-url").fill(server.url);
    await this.at("peer-id").fill(peerId);
    await this.at("connect").click();
    await this.isOnline();
  }

  /** @param {string} state @param {number} [seconds] */
  async connection(state, seconds) {
    await this.shows(this.at("connection", `[data-state="${state}"]`), `that it is ${state}`, seconds);
  }

  /** @param {number} [seconds] */
  isOnline(seconds) {
    return this.connection("online", seconds);
  }

  // ---- sessions ----

  /**
   * Waits for a proposal; returns its card.
   * @param {string} [sessionId]
   */
  async proposal(sessionId) {
    const which = sessionId ? `[data-session-id="${sessionId}"]` : "";
    return this.shows(this.at("proposal", which), `the proposal ${sessionId ?? ""}`);
  }

  /**
   * Joins a proposal, as soon as it is there; returns its session id.
   * @param {string} [sessionId]
   */
  async join(sessionId) {
    const card = await this.proposal(sessionId);
    const id = await card.getAttribute("data-session-id");
    const choice = card.getByTestId("allow-unverified");
    if (await choice.isVisible()) await choice.check();
    await card.getByTestId("join").click();
    return id ?? "";
  }

  /** @param {{ participants: string[], threshold: number, sessionId?: string, unverified?: boolean }} session */
  async propose({ participants, threshold, sessionId, unverified = true }) {
    await this.at("new-session").click();
    await this.at("new-participants").fill(participants.join(" "));
    await this.at("new-threshold").fill(`${threshold}`);
    if (sessionId) await this.at("new-session-id").fill(sessionId);
    if (unverified) await this.at("new-allow-unverified").check();
    await this.at("new-submit").click();
  }

  /**
   * Makes an invite; returns its text.
   * @param {{ total: number, threshold: number, name?: string }} session
   */
  async invite({ total, threshold, name = "" }) {
    await this.at("invite-total").fill(`${total}`);
    await this.at("invite-threshold").fill(`${threshold}`);
    await this.at("invite-name").fill(name);
    await this.at("invite-submit").click();
    const uri = await this.shows(this.at("invite-uri"), "the invite");
    return (await uri.textContent()) ?? "";
  }

  /**
   * Takes part by an invite; `peerId` only where it is not connected yet.
   * @param {string} uri
   * @param {string} [peerId]
   */
  async joinInvite(uri, peerId) {
    await this.at("invite-paste").fill(uri);
    if (peerId) await this.at("invite-peer-id").fill(peerId);
    await this.at("invite-join").click();
  }

  /**
   * The safety words of a session, once they are to be compared.
   * @param {string} sessionId
   */
  async words(sessionId) {
    const words = await this.shows(this.session(sessionId).getByTestId("words"), "safety words");
    return (await words.textContent()) ?? "";
  }

  /**
   * Waits until a session is in a phase, or in one of several.
   * @param {string} sessionId
   * @param {string | string[]} phases
   * @param {number} [seconds]
   */
  async phase(sessionId, phases, seconds) {
    const wanted = [phases].flat();
    const any = wanted.map((phase) => `[data-testid="session"][data-session-id="${sessionId}"][data-phase="${phase}"]`);
    return this.shows(this.page.locator(any.join()), `session ${sessionId} in ${wanted.join(" or ")}`, seconds);
  }

  /**
   * The states of the peers of a session, by id.
   * @param {string} sessionId
   */
  async peers(sessionId) {
    const rows = await this.session(sessionId).getByTestId("peer").all();
    const seen = rows.map(async (row) => [await row.getAttribute("data-peer-id"), await row.getAttribute("data-state")]);
    return Object.fromEntries(await Promise.all(seen));
  }

  /** @param {string} sessionId @param {string} peerId @param {string} state @param {number} [seconds] */
  async peerIs(sessionId, peerId, state, seconds) {
    const row = this.session(sessionId).locator(`[data-testid="peer"][data-peer-id="${peerId}"][data-state="${state}"]`);
    await this.shows(row, `${peerId} ${state} in session ${sessionId}`, seconds);
  }

  /**
   * Waits until a key is among the wallets.
   * @param {string} pubkey
   * @param {number} [seconds]
   */
  async wallet(pubkey, seconds) {
    return this.shows(this.at("wallet", `[data-pubkey="${pubkey}"]`), `the wallet ${pubkey}`, seconds);
  }

  /** The keys on the screen. */
  async wallets() {
    const cards = await this.at("wallet").all();
    return Promise.all(cards.map((card) => card.getAttribute("data-pubkey")));
  }

  // ---- looking ----

  /**
   * Waits for a text.
   * @param {string | RegExp} text
   * @param {number} [seconds]
   */
  async says(text, seconds) {
    await this.shows(this.page.getByText(text), `"${text}"`, seconds);
  }

  /** @param {string} name */
  async picture(name) {
    const folder = join(PICTURES, "screens");
    await mkdir(folder, { recursive: true });
    // In a window that is high enough: a scroll bar would take its width from the picture.
    const size = this.page.viewportSize() ?? { width: 420, height: 640 };
    const height = await this.page.evaluate(() => document.documentElement.scrollHeight);
    await this.page.setViewportSize({ ...size, height: Math.max(size.height, height) });
    await this.page.screenshot({ path: join(folder, `${name}.png`) });
    await this.page.setViewportSize(size);
  }

  /**
   * Nothing went wrong in the page itself. A server that cannot be reached is told on its console, too.
   * @param {RegExp[]} expected
   */
  isClean(...expected) {
    const odd = this.complaints.filter((text) => !expected.some((known) => known.test(text)));
    assert.deepEqual(odd, [], `complaints of ${this.name}`);
  }

  /** @param {Stage} stage */
  async report(stage) {
    if (this.page.isClosed()) return `${this.name} is closed`;
    const path = await stage.picture(this.name);
    await this.page.screenshot({ path, fullPage: true, timeout: 5000 }).catch(() => {});
    const seen = await this.page.evaluate(look);
    const complaints = this.complaints.length ? `\n  complaints: ${this.complaints.join("\n  ")}` : "";
    return `${this.name} shows (picture: ${path})\n${seen}${complaints}`;
  }

  async close() {
    await this.page.close();
  }
}
