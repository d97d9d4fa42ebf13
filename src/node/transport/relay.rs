//! The carrier `relay`: the signaling server passes sealed frames on. It sees ciphertext only.

use std::collections::VecDeque;

use super::carrier::Carrier;
use super::effect::{CarrierSpec, Effect};
use crate::channel::Window;
use crate::node::ctx::Ctx;
use crate::node::presence::Address;
use crate::wire::{PeerMessage, RelayData};

/// What people and programs call it, and what it can do.
pub(super) const SPEC: CarrierSpec = CarrierSpec {
    id: "relay",
    about: "The server's relay only, sealed",
    window: Window::RELAY,
    needs_server: true,
    carries_handshakes: true,
};

/// It has no state of its own: it is open while the signaling server is.
pub(super) struct Relay;

impl Carrier for Relay {
    fn spec(&self) -> &'static CarrierSpec {
        &SPEC
    }

    fn is_open(&self, ctx: &Ctx<'_>, to: &Address) -> bool {
        ctx.presence.is_online(to.server)
    }

    fn reaches(&self, ctx: &Ctx<'_>, to: &Address) -> bool {
        self.is_open(ctx, to) && ctx.presence.is_present(to)
    }

    fn send(
        &mut self,
        ctx: &mut Ctx<'_>,
        out: &mut VecDeque<Effect>,
        to: &Address,
        message: &PeerMessage,
    ) {
        if self.is_open(ctx, to) {
            let data = RelayData::Peer(message.clone(), None);
            out.push_back(Effect::Relay { server: to.server, to: to.peer.clone(), data });
        }
    }
}
