// What a page or an extension keeps in IndexedDB, as text: written out of one origin and read into another.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const NAME = "frostmesh";

/**
 * @typedef {{ hex?: string, value?: unknown }} Kept bytes as `hex`, anything else as `value`
 * @typedef {Record<string, Record<string, Kept>>} Stores
 * @typedef {{ name: string, version: number, stores: Stores }} Exported
 * @typedef {(work: (exported: Exported) => Promise<void>, exported: Exported) => Promise<unknown>} Run
 */

/**
 * Everything that the origin of a page keeps.
 * @param {import("playwright-core").Page} page
 * @returns {Promise<Exported>}
 */
export function exportDatabase(page) {
  return page.evaluate(async (name) => {
    /** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
    const done = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const hex = (/** @type {Uint8Array} */ bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const written = (/** @type {unknown} */ value) => (value instanceof Uint8Array ? { hex: hex(value) } : { value });
    const database = await done(indexedDB.open(name));
    /** @type {Stores} */
    const stores = {};
    for (const store of database.objectStoreNames) {
      const read = database.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([done(read.getAllKeys()), done(read.getAll())]);
      stores[store] = Object.fromEntries(keys.map((key, i) => [key, written(values[i])]));
    }
    const { version } = database;
    database.close();
    return { name, version, stores };
  }, NAME);
}

/**
 * Writes such an export into the origin where `run` runs a function: that of a page or of a service worker, in which the node
 * has not opened its database yet.
 * @param {Run} run
 * @param {Exported} exported
 */
export function importDatabase(run, exported) {
  return run(async ({ name, version, stores }) => {
    const bytes = (/** @type {string} */ hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    const opening = indexedDB.open(name, version);
    /** @type {IDBDatabase} */
    const database = await new Promise((resolve, reject) => {
      opening.onupgradeneeded = () => Object.keys(stores).forEach((store) => opening.result.createObjectStore(store));
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    const writing = database.transaction(Object.keys(stores), "readwrite");
    for (const [store, records] of Object.entries(stores)) {
      for (const [key, { hex, value }] of Object.entries(records)) {
        writing.objectStore(store).put(hex === undefined ? value : bytes(hex), key);
      }
    }
    await new Promise((resolve, reject) => {
      writing.oncomplete = () => resolve(undefined);
      writing.onabort = () => reject(writing.error);
    });
    database.close();
  }, exported);
}

/**
 * Lays such an export out as a folder of the command line: the same envelopes, in files. Settings of a browser are none.
 * @param {Exported} exported
 * @param {string} folder
 */
export async function layOut({ stores: { settings: _, ...stores } }, folder) {
  for (const [store, records] of Object.entries(stores)) {
    for (const [key, { hex }] of Object.entries(records)) {
      const path = join(folder, store === key ? "" : store, key);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, Buffer.from(hex ?? "", "hex"));
    }
  }
}
