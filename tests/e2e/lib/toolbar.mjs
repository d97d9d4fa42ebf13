// The popup of the toolbar button, as Chrome opens it and at the size that Chrome gives it.

/** @import { Extension } from "./extension.mjs" */
/** @import { Target } from "./attached.mjs" */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Attached, targetsOf } from "./attached.mjs";
import { PATIENCE, PICTURES } from "./settings.mjs";
import { eventually } from "./wait.mjs";

/** @param {Target} target */
const isPopup = ({ type, url }) => type === "page" && url.endsWith("/popup.html");

export class ToolbarPopup extends Attached {
  /** @param {Extension} extension */
  static async open(extension) {
    const session = await extension.context.newCDPSession(extension.context.pages()[0]);
    // Chrome makes a popup narrower than it wants to be where it would reach over the screen's edge.
    const { windowId } = await session.send("Browser.getWindowForTarget");
    await session.send("Browser.setWindowBounds", { windowId, bounds: { width: 780, height: 600 } });
    const before = new Set((await targetsOf(session)).map(({ targetId }) => targetId));
    await session.detach();
    await extension.inWorker(() => chrome.action.openPopup());
    const isNew = (/** @type {Target} */ target) => isPopup(target) && !before.has(target.targetId);
    return this.to(extension, "the popup of the toolbar button", isNew);
  }

  /**
   * Waits until an element is there and visible.
   * @param {string} selector
   */
  async shows(selector, seconds = PATIENCE) {
    const look = `document.querySelector(${JSON.stringify(selector)})?.checkVisibility() ?? false`;
    await eventually(seconds, `the toolbar popup to show ${selector}`, () => this.evaluate(look));
  }

  /**
   * Clicks an element, once it is there.
   * @param {string} selector
   */
  async click(selector) {
    await this.shows(selector);
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
  }

  /** @param {string} name */
  async picture(name) {
    const folder = join(PICTURES, "screens");
    await mkdir(folder, { recursive: true });
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    await writeFile(join(folder, `${name}.png`), Buffer.from(data, "base64"));
  }

  /** Closes it, as a click elsewhere does. */
  async close() {
    await this.cdp.send("Target.closeTarget", { targetId: this.targetId });
    await eventually(PATIENCE, "the toolbar popup to close", async () => {
      return !(await targetsOf(this.cdp)).some(({ targetId }) => targetId === this.targetId);
    });
    await this.detach();
  }
}
