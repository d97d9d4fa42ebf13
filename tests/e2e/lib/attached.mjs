// A document that Playwright does not know (a toolbar popup, the node's offscreen document), over the DevTools protocol.

/** @import { CDPSession } from "playwright-core" */
/** @import { Extension } from "./extension.mjs" */

import { PATIENCE } from "./settings.mjs";
import { eventually, within } from "./wait.mjs";

/** @typedef {Awaited<ReturnType<typeof targetsOf>>[number]} Target */

export class Attached {
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #calls = new Map();
  #last = 0;
  sessionId = "";

  /** @param {CDPSession} cdp @param {string} targetId @param {string} name */
  constructor(cdp, targetId, name) {
    this.cdp = cdp;
    this.targetId = targetId;
    this.name = name;
    // Messages are wrapped: Playwright offers no session for a target it did not attach to itself.
    cdp.on("Target.receivedMessageFromTarget", ({ message }) => {
      const { id, result, error } = JSON.parse(message);
      const call = this.#calls.get(id);
      if (error) call?.reject(new Error(error.message));
      else call?.resolve(result);
      this.#calls.delete(id);
    });
  }

  /**
   * Attaches to the first target that fits, as soon as there is one.
   * @template {typeof Attached} T
   * @this {T}
   * @param {Extension} extension
   * @param {string} name
   * @param {(target: Target) => boolean} fits
   * @returns {Promise<InstanceType<T>>}
   */
  static async to(extension, name, fits) {
    const browser = extension.context.browser();
    if (!browser) throw new Error("the browser has ended");
    const cdp = await browser.newBrowserCDPSession();
    const { targetId } = await eventually(PATIENCE, name, async () => (await targetsOf(cdp)).find(fits));
    const attached = /** @type {InstanceType<T>} */ (new this(cdp, targetId, name));
    attached.sessionId = (await cdp.send("Target.attachToTarget", { targetId, flatten: false })).sessionId;
    return attached;
  }

  /** @param {string} method @param {object} [params] @returns {Promise<any>} */
  async send(method, params = {}) {
    const id = (this.#last += 1);
    const answer = new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
    const message = JSON.stringify({ id, method, params });
    await this.cdp.send("Target.sendMessageToTarget", { sessionId: this.sessionId, message });
    return within(PATIENCE, `${this.name} to answer ${method}`, answer);
  }

  /**
   * The value of a JavaScript expression in the document.
   * @param {string} expression
   */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Lets go of it. */
  async detach() {
    await this.cdp.detach();
  }
}

/**
 * Everything in the browser that DevTools could attach to.
 * @param {CDPSession} cdp
 */
export async function targetsOf(cdp) {
  return (await cdp.send("Target.getTargets")).targetInfos;
}
