// Requests on a screen, of one wallet among several.

/** @import { Screen } from "./screen.mjs" */

/**
 * The card of a request, in that state or in any.
 * @param {Screen} screen
 * @param {string} id
 * @param {string} [state]
 */
export function cardOf(screen, id, state) {
  const so = state ? `[data-state="${state}"]` : "";
  return screen.at("request", `[data-request-id="${id}"]${so}`);
}

/**
 * Asks the members of a wallet for a signature.
 * @param {Screen} screen
 * @param {string} pubkey
 * @param {string} kind
 * @param {string} content
 */
export async function ask(screen, pubkey, kind, content) {
  if (!(await screen.at("sign-submit").isVisible())) await screen.at("sign").click();
  await screen.at("sign-wallet").selectOption(pubkey);
  await screen.at("sign-kind").selectOption(kind);
  await screen.at("sign-content").fill(content);
  await screen.at("sign-submit").click();
}
