// A program that prints one JSON object a line: its events, its exit code, and what it says to people.

/** @import { Event, Pattern } from "./types.js" */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { inspect, isDeepStrictEqual } from "node:util";

import { PATIENCE } from "./settings.mjs";
import { within } from "./wait.mjs";

/** Most characters kept of what a program says to people. */
const KEPT = 20_000;

/**
 * Does the event hold each field of the pattern, with that value?
 * @param {Event} event
 * @param {Pattern} pattern
 */
const fits = (event, pattern) =>
  Object.entries(pattern).every(([field, value]) => isDeepStrictEqual(event[field], value));

/** @param {unknown} value */
const shown = (value) => inspect(value, { breakLength: Infinity });

export class Process {
  /** Events so far. Lines that are no JSON object are in `lines` only. */
  /** @type {Event[]} */
  events = [];
  /** @type {string[]} */
  lines = [];
  stderr = "";
  /** The exit code or the signal, once it has ended. */
  /** @type {number | string | null} */
  ended = null;
  /** @type {Set<{ pattern: Pattern, resolve: (event: Event) => void, reject: (error: Error) => void }>} */
  #waiting = new Set();
  /** @type {number[]} */
  #times = [];
  #started = performance.now();

  /**
   * Starts it. Of the environment it gets `env` too, and no password that may be lying around; what it reads comes from
   * `type`, if it is to be asked anything.
   * @param {string} name
   * @param {string} program
   * @param {string[]} args
   * @param {Record<string, string>} [env]
   * @param {{ asked?: boolean }} [options]
   */
  constructor(name, program, args, env = {}, { asked = false } = {}) {
    this.name = name;
    this.command = args.join(" ");
    const { FROSTMESH_PASSWORD: _, ...around } = process.env;
    const stdin = asked ? "pipe" : "ignore";
    this.child = spawn(program, args, { stdio: [stdin, "pipe", "pipe"], env: { ...around, ...env } });
    const { stdout, stderr } = this.child;
    if (!stdout || !stderr) throw new Error(`${name} has no output`);
    this.child.stdin?.on("error", () => {}); // it may end while somebody types
    stderr.setEncoding("utf8").on("data", (text) => (this.stderr = (this.stderr + text).slice(-KEPT)));
    createInterface({ input: stdout }).on("line", (line) => this.#line(line));
    this.#ends = /** @type {Promise<number | string | null>} */ (new Promise((resolve) => {
      this.child.once("error", (error) => {
        this.stderr += error.message;
        resolve("cannot be started");
      });
      this.child.once("close", (code, signal) => resolve(code ?? signal));
    })).then((ended) => {
      this.ended = ended;
      for (const { reject } of this.#waiting) reject(new Error(`${name} ended with ${ended}`));
      return ended;
    });
  }

  #ends;

  /** @param {string} line */
  #line(line) {
    this.lines.push(line);
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      return;
    }
    this.events.push(event);
    this.#times.push(performance.now() - this.#started);
    for (const { pattern, resolve } of this.#waiting) if (fits(event, pattern)) resolve(event);
  }

  get stdout() {
    return this.lines.join("\n");
  }

  /**
   * The events so far that fit a pattern.
   * @param {Pattern} pattern
   */
  all(pattern) {
    return this.events.filter((event) => fits(event, pattern));
  }

  /**
   * The first event, past or to come, that fits: a name, or fields with their values.
   * @param {string | Pattern} wanted
   * @param {number} [seconds]
   * @returns {Promise<Event>}
   */
  async until(wanted, seconds = PATIENCE) {
    const pattern = typeof wanted === "string" ? { event: wanted } : wanted;
    const [seen] = this.all(pattern);
    if (seen) return seen;
    const what = `${this.name} to say ${shown(pattern)}`;
    if (this.ended !== null) throw new Error(`${this.name} ended with ${this.ended}; waited for ${what}`);
    const wait = { pattern, resolve: (/** @type {Event} */ _) => {}, reject: (/** @type {Error} */ _) => {} };
    /** @type {Promise<Event>} */
    const comes = new Promise((resolve, reject) => Object.assign(wait, { resolve, reject }));
    this.#waiting.add(wait);
    try {
      return await within(seconds, what, comes);
    } finally {
      this.#waiting.delete(wait);
    }
  }

  /**
   * When the first event that fits came, in milliseconds of `performance.now()`.
   * @param {Pattern} pattern
   */
  whenWas(pattern) {
    return this.#started + this.#times[this.events.findIndex((event) => fits(event, pattern))];
  }

  /**
   * Seconds from the start to the first event that fits.
   * @param {Pattern} pattern
   */
  timeOf(pattern) {
    return (this.whenWas(pattern) - this.#started) / 1000;
  }

  /** Its exit code, or the signal that ended it, once it has ended. */
  exit(seconds = PATIENCE) {
    return within(seconds, `${this.name} to end`, this.#ends);
  }

  /**
   * Types a line.
   * @param {string} line
   */
  type(line) {
    this.child.stdin?.write(`${line}\n`);
  }

  /** @param {NodeJS.Signals} name */
  signal(name) {
    this.child.kill(name);
  }

  /** For the report of a failure. */
  report() {
    const said = this.events.map((event, i) => `  ${(this.#times[i] / 1000).toFixed(2)} s ${JSON.stringify(event)}`);
    const state = this.ended === null ? "still runs" : `ended with ${this.ended}`;
    return [`${this.name} (${this.command}) ${state}`, ...said, this.stderr.trimEnd()].filter(Boolean).join("\n");
  }

  async close() {
    if (this.ended === null) this.child.kill("SIGKILL");
    await this.exit();
  }
}
