// A test with real parts: starts them, reports what each of them saw when the test fails, and ends them in any case.

/** @import { Part, Server } from "./types.js" */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Process } from "./process.mjs";
import { inProject, PASSWORD, PICTURES, PROGRAM, WWW } from "./settings.mjs";

/** Hard limit of one test, in milliseconds. Its own waits are shorter and say more. */
const LIMIT = 180_000;

/**
 * Defines a test. `play` gets a {@link Stage}.
 * @param {string} name
 * @param {(stage: Stage) => Promise<void>} play
 */
export function scenario(name, play) {
  test(name, { timeout: LIMIT }, async () => {
    const stage = await Stage.set(name);
    try {
      await play(stage);
    } catch (error) {
      // The stack is what gets printed.
      if (error instanceof Error) error.stack += `\n\n${await stage.report()}\n`;
      throw error;
    } finally {
      await stage.clear();
    }
  });
}

export class Stage {
  /** @type {Part[]} */
  #parts = [];
  #runs = 0;
  passwordFile = "";

  /** @param {string} name @param {string} folder */
  constructor(name, folder) {
    this.name = name;
    this.folder = folder;
  }

  /** @param {string} name */
  static async set(name) {
    const stage = new Stage(name, await mkdtemp(join(tmpdir(), "frostmesh-e2e-")));
    stage.passwordFile = await stage.file("password", `${PASSWORD}\n`);
    return stage;
  }

  /**
   * Takes a part into the test.
   * @template {Part} P
   * @param {P} part
   */
  add(part) {
    this.#parts.push(part);
    return part;
  }

  /**
   * Writes a file into the test's own folder; returns its path.
   * @param {string} name
   * @param {string | Uint8Array} content
   */
  async file(name, content) {
    const path = join(this.folder, name);
    await writeFile(path, content);
    return path;
  }

  // ---- signaling servers ----

  /** Our server, with the web page. `port` 0 takes a free one. */
  async server({ port = 0, www = WWW } = {}) {
    const server = this.add(
      new Process("server", PROGRAM, ["serve", "--listen", `127.0.0.1:${port}`, "--json", "--www", www]),
    );
    const { url, address } = await server.until("listening");
    return Object.assign(server, { url, page: `http://${address}/`, port: Number(address.split(":").at(-1)) });
  }

  /** The baseline server of tests/interop. */
  async baselineServer() {
    const server = this.#interop("baseline-server", "server.mjs", ["--listen", "127.0.0.1:0"]);
    return Object.assign(server, { url: (await server.until("listening")).url });
  }

  // ---- nodes ----

  /**
   * Where the node of that name stores its keys.
   * @param {string} name
   */
  dataOf(name) {
    return join(this.folder, "nodes", name);
  }

  /**
   * Flags that name a node, its keys and its password.
   * @param {Server} server
   * @param {string} name
   */
  flags(server, name) {
    const network = ["--server", server.url, "--peer-id", name, "--allow-unverified"];
    return [...network, ...this.local(name), "--json", "-v"];
  }

  /** @param {string} name */
  local(name) {
    return ["--data-dir", this.dataOf(name), "--password-file", this.passwordFile];
  }

  /**
   * A command-line node that proposes.
   * @param {Server} server
   * @param {string} name
   * @param {string[]} participants
   * @param {number} threshold
   * @param {string[]} more
   */
  create(server, name, participants, threshold, ...more) {
    const proposal = ["--participants", participants.join(), "--threshold", `${threshold}`];
    return this.start(name, "create", ...this.flags(server, name), ...proposal, ...more);
  }

  /**
   * A command-line node that joins.
   * @param {Server} server
   * @param {string} name
   * @param {string[]} more
   */
  join(server, name, ...more) {
    return this.start(name, "join", ...this.flags(server, name), ...more);
  }

  /**
   * Any command of the program.
   * @param {string} name
   * @param {string[]} args
   */
  start(name, ...args) {
    return this.add(new Process(name, PROGRAM, args));
  }

  /**
   * Any command of the program, which may ask the person something.
   * @param {string} name
   * @param {string[]} args
   */
  startAsked(name, ...args) {
    return this.add(new Process(name, PROGRAM, args, {}, { asked: true }));
  }

  /**
   * Runs a command of the program to its end.
   * @param {string[]} args
   */
  async run(...args) {
    const program = this.start(`run ${(this.#runs += 1)}`, ...args);
    const code = await program.exit();
    return { code, stdout: program.stdout, stderr: program.stderr, events: program.events };
  }

  /**
   * The peers that are registered at a server.
   * @param {Server} server
   */
  async peersAt(server) {
    return (await this.run("peers", "--server", server.url, "--json")).events[0].peers;
  }

  /**
   * The keys that a command-line node stores.
   * @param {string} name
   */
  async walletsOf(name) {
    const { events } = await this.run("wallets", "list", ...this.local(name), "--json");
    return events;
  }

  /**
   * A baseline peer of tests/interop that proposes.
   * @param {Server} server
   * @param {string} name
   * @param {string[]} participants
   * @param {number} threshold
   * @param {string[]} more
   */
  baselineCreate(server, name, participants, threshold, ...more) {
    const proposal = ["--participants", participants.join(), "--threshold", `${threshold}`];
    return this.#interop(name, "peer.mjs", ["create", "--server", server.url, "--peer-id", name, ...proposal, ...more]);
  }

  /**
   * A baseline peer of tests/interop that joins.
   * @param {Server} server
   * @param {string} name
   * @param {string[]} more
   */
  baselineJoin(server, name, ...more) {
    return this.#interop(name, "peer.mjs", ["join", "--server", server.url, "--peer-id", name, ...more]);
  }

  /** @param {string} name @param {string} script @param {string[]} args */
  #interop(name, script, args) {
    return this.add(new Process(name, process.execPath, [inProject(`tests/interop/${script}`), ...args]));
  }

  // ---- the end ----

  /** What each part saw. */
  async report() {
    const reports = this.#parts.map(async (part) => {
      try {
        return await part.report(this);
      } catch (error) {
        return `${part.name} cannot be asked: ${error}`;
      }
    });
    return (await Promise.all(reports)).join("\n\n");
  }

  /**
   * A path for a picture of a failure.
   * @param {string} of
   */
  async picture(of) {
    await mkdir(PICTURES, { recursive: true });
    const words = `${this.name} ${of}`.replace(/[^A-Za-z0-9]+/g, "-").slice(0, 100);
    return join(PICTURES, `${words}.png`);
  }

  /** Ends all parts, the last one started first, so that none loses a server it still talks to. */
  async clear() {
    /** @type {unknown[]} */
    const failures = [];
    for (const part of this.#parts.reverse()) await part.close().catch((error) => failures.push(error));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
    if (failures.length) throw failures[0];
  }
}
