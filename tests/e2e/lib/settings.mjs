// Where the tests find what they test. `cargo xtask test` names the program, the built folder and the browser.

import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * A path in the project.
 * @param {string} path
 */
export const inProject = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

export const PROGRAM = process.env.FROSTMESH_BIN || inProject("target/debug/frostmesh");
export const CHROME = process.env.CHROME || "/usr/bin/chromium";

const dist = process.env.FROSTMESH_DIST || inProject("dist");
export const EXTENSION = join(dist, "extension");
export const WWW = join(dist, "www");

/** Pictures of what a browser showed go here. */
export const PICTURES = inProject("target/e2e");

/** What every node of the tests is locked with. */
export const PASSWORD = "correct horse battery staple";

/** How long a step that needs no person may take, in seconds. Far more than it does: machines are busy. */
export const PATIENCE = 45;
