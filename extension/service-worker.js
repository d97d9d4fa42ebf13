// @ts-check
// Makes sure that the offscreen document with the node exists, and shows on the toolbar what waits for a decision.
// Commands and snapshots do not pass through here: the UI and the document have a Port of their own.

const KEEP = "keep-node";

/** The last change under way. Changes take turns: Chrome allows one offscreen document, and refuses a second. */
let last = Promise.resolve();

/** @param {() => Promise<void>} change */
function inTurn(change) {
  last = last.then(change, change);
  return last;
}

async function exists() {
  const found = await chrome.runtime.getContexts({ contextTypes: ["OFFSCREEN_DOCUMENT"] });
  return found.length > 0;
}

function create() {
  return chrome.offscreen.createDocument({
    url: "offscreen.html",
    reasons: ["WEB_RTC"],
    justification: "Connects to the other participants of a threshold key over WebRTC data channels.",
  });
}

const ensure = () =>
  inTurn(async () => {
    if (!(await exists())) await create();
  });

/** Replaces the document: the only way to forget what a node held in memory, or to replace a crashed one. */
const rebuild = () =>
  inTurn(async () => {
    if (await exists()) await chrome.offscreen.closeDocument();
    await create();
  });

/** @param {{ waiting: number, state: "locked" | "offline" | "connecting" | "online" | "fatal" }} status */
async function showStatus({ waiting, state }) {
  const text = (/** @type {string} */ key, /** @type {string[]} */ ...values) => chrome.i18n.getMessage(key, values);
  const words = waiting ? text("title_waiting", String(waiting)) : text(`title_${state}`);
  await chrome.action.setBadgeBackgroundColor({ color: "#0b6380" });
  await chrome.action.setBadgeText({ text: waiting ? String(waiting) : "" });
  await chrome.action.setTitle({ title: text("badge_title", words) });
}

function start() {
  ensure();
  // The document may crash while no popup is open: look once a minute.
  chrome.alarms.create(KEEP, { periodInMinutes: 1 });
}

chrome.runtime.onInstalled.addListener(start);
chrome.runtime.onStartup.addListener(start);
chrome.alarms.onAlarm.addListener(() => void ensure());

chrome.runtime.onMessage.addListener((message, sender, respond) => {
  if (sender.id !== chrome.runtime.id) return false;
  /** @type {Record<string, () => Promise<void>>} */
  const tasks = { ensure, rebuild, status: () => showStatus(message) };
  const task = Object.hasOwn(tasks, message?.type) ? tasks[message.type] : null;
  if (!task) return false;
  task().then(
    () => respond({ done: true }),
    (error) => respond({ done: false, error: String(error) }),
  );
  return true; // the answer comes later
});
