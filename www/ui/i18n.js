// @ts-check
// The only source of text: _locales/<language>/messages.json. Chrome loads it in the extension, page.js on the page.
/** @import { MessageKey, Messages } from "./types.js" */

/** @type {Messages | null} */
let messages = null;

/** @param {Messages} all */
export function setMessages(all) {
  messages = all;
}

/**
 * @param {MessageKey} key
 * @param {(string | number)[]} values for $1, $2, ...
 * @returns {string} empty where there is no such message
 */
export function t(key, ...values) {
  if (!messages) return chrome.i18n.getMessage(key, values.map(String));
  const { message, placeholders = {} } = messages[key] ?? { message: "" };
  return message.replace(/\$(\w+)\$/g, (_, name) => String(values[+placeholders[name].content.slice(1) - 1]));
}
