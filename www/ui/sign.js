// @ts-check
// The form that asks the members of a wallet for a signature. It shows which members are connected.
/** @import { Context, GroupView, Input, MemberView, Snapshot, View } from "./types.js" */

import { el, keyed, setText } from "./dom.js";
import { PLAIN, attempt, field, problemLine, setProblem } from "./form.js";
import { list, names, quote } from "./format.js";
import { t } from "./i18n.js";
import { kindOf, warningText } from "./kinds.js";
import { carrierText, kinds, labelText } from "./lists.js";

/** Largest file that is hashed, in bytes: it is read into memory as a whole. */
const MAX_FILE = 256 << 20;

/** @param {MemberView} member its name, and what carries messages to it */
const memberText = ({ peer_id, carrier }) =>
  carrier ? `${quote(peer_id)} (${carrierText(carrier)})` : quote(peer_id);

/**
 * @param {Context} context
 * @returns {View<Snapshot | null>}
 */
export function signView({ command, remember }) {
  const wallet = el("select", { "data-testid": "sign-wallet" });
  const kind = el("select", { "data-testid": "sign-kind" },
    ...kinds().map(({ name, label }) => el("option", { value: name }, labelText(label))));
  const content = el("textarea", { ...PLAIN, rows: 3, "data-testid": "sign-content" });
  const file = el("input", { type: "file", "data-testid": "sign-file" });
  const [typed, chosen] = [field(content, "sign_content"), field(file, "sign_file", "sign_file_hint")];
  const warning = el("p.problem");
  const here = el("p.meta", { "data-testid": "members" });
  const tested = el("p.meta", { role: "status", "data-testid": "check-result" });
  const caution = el("p.problem");
  const problem = problemLine();
  const submit = el("button.primary", { "data-testid": "sign-submit" }, t("sign_submit"));
  const check = el("button", { type: "button", "data-testid": "check" }, t("check"));
  const form = el("form", { novalidate: "" }, field(wallet, "wallet"), field(kind, "kind"), typed, chosen, warning,
    here, caution, tested, problem, el("div.actions", {}, submit, check));
  const node = el("details.card", {}, el("summary", { "data-testid": "sign" }, t("sign")), form);
  remember("sign-content", content);

  /** @type {GroupView[]} */
  let groups = [];
  /** @type {Map<string, string>} */
  let titles = new Map();
  const options = keyed(wallet, (/** @type {GroupView} */ group) => group.pubkey, ({ pubkey }) => {
    const option = el("option", { value: pubkey });
    return { node: option, update: () => setText(option, titles.get(pubkey)) };
  });
  const describe = () => {
    chosen.hidden = kindOf(kind.value)?.input !== "file_hash";
    typed.hidden = !chosen.hidden;
    setText(warning, warningText(kind.value));
    warning.hidden = !warning.textContent;
    const group = groups.find(({ pubkey }) => pubkey === wallet.value);
    const present = group?.members.filter(({ me, online }) => me || online).map(memberText) ?? [];
    setText(here, group && t("members_here", present.length, group.threshold, list(present)));
    const trouble = group?.problem ? quote(group.problem, 300) : group && !group.ready ? t("not_ready") : "";
    caution.hidden = !trouble;
    setText(caution, trouble);
    const result = group?.check;
    tested.hidden = !result;
    const failed = result?.failed.map(([peer, why]) => `${quote(peer)} ${quote(why, 300)}`) ?? [];
    setText(tested, result?.running ? t("check_runs") : [t("check_signed", names(result?.answered ?? [])), ...failed].join(" · "));
  };
  form.onchange = describe;

  /** What the node is to sign, written as its kind requires. @param {Input | undefined} input how its kind is given */
  const written = async (input) => {
    if (input === "text") return content.value;
    if (input !== "file_hash") return content.value.trim();
    const [picked] = file.files ?? [];
    if (!picked || picked.size > MAX_FILE) return "";
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await picked.arrayBuffer()));
    const sha256 = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return JSON.stringify({ name: picked.name, size: picked.size, sha256 });
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    const input = kindOf(kind.value)?.input;
    const isFile = input === "file_hash";
    await attempt(submit, problem, async () => {
      const text = await written(input);
      if (!text.trim()) return setProblem(problem, t(isFile ? "sign_no_file" : "sign_nothing"), isFile ? file : content);
      await command({ type: "request", pubkey: wallet.value, content_kind: kind.value, content: text });
      content.value = file.value = "";
      content.dispatchEvent(new Event("input"));
    });
  };
  check.onclick = () => attempt(check, problem, () => command({ type: "check", pubkey: wallet.value }));

  return {
    node,
    update(snapshot) {
      groups = snapshot?.groups ?? [];
      const named = snapshot?.wallets.map(({ pubkey, name }) => /** @type {[string, string]} */ ([pubkey, quote(name ?? `${pubkey.slice(0, 12)}…`)]));
      titles = new Map(named);
      node.hidden = !groups.length;
      options(groups);
      describe();
      if (!snapshot) content.value = "";
    },
  };
}
