// Signatures, checked by the libraries of others.

import assert from "node:assert/strict";

import { inProject } from "./settings.mjs";

/** @import { Event } from "./types.js" */

const noble = await import(inProject("tests/interop/node_modules/@noble/curves/secp256k1.js"));

const bytes = (/** @type {string} */ hex) => Uint8Array.from(Buffer.from(hex, "hex"));

/**
 * The libraries of others agree that the key signed the digest.
 * @param {Event} event
 */
export function verified({ pubkey, suite, digest, signature }) {
  if (suite === "secp256k1-tr") {
    assert.ok(noble.schnorr.verify(bytes(signature), bytes(digest), bytes(pubkey.slice(2))), "BIP-340, by noble");
  } else {
    assert.ok(noble.secp256k1_FROST.verify(bytes(signature), bytes(digest), bytes(pubkey)), "RFC 9591, by noble");
  }
}
