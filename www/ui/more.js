// @ts-check
// Forms that start something: an invite, a session by invite, a session by peer ids. Loaded once the node is unlocked.
/** @import { Context, InviteView, Snapshot, View } from "./types.js" */

import { el, section } from "./dom.js";
import { inviteCard, inviteView } from "./invite.js";
import { t } from "./i18n.js";
import { proposeView } from "./propose.js";

/**
 * @param {Context} context
 * @returns {View<Snapshot | null>}
 */
export function moreView(context) {
  const idOf = (/** @type {InviteView} */ invite) => invite.session_id;
  const invites = section(t("invites"), idOf, (invite) => inviteCard(context, invite));
  const invite = inviteView(context);
  const propose = proposeView(context);
  return {
    node: el("div.stack", {}, invites.node, invite.node, propose.node),
    update(snapshot) {
      // Nothing of a locked node stays in the document, not even hidden.
      invites.update(snapshot?.invites ?? []);
      invite.update(snapshot);
      if (snapshot) propose.update(snapshot);
    },
  };
}
