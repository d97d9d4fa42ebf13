//! The carrier `relay`: the signaling server passes sealed frames on. It sees ciphertext only.

use std::collections::VecDeque;

use crate::api::CarrierInfo;
use crate::label::Label;
use crate::node::Config;
use crate::node::transport::carrier::Carrier;
use crate::node::transport::effect::{CarrierSpec, Effect};
use crate::channel::Window;
use crate::node::ctx::Ctx;
use crate::node::presence::Address;
use crate::wire::{PeerMessage, RelayData};

/// What it says of itself.
pub(super) static SPEC: CarrierSpec = CarrierSpec {
    info: CarrierInfo {
        id: "relay",
        about: "The server's relay only, sealed",
        how: "through the server, sealed",
        label: Label::new("carrier_relay", "through the server, sealed"),
    },
    window: Window::RELAY,
    needs_server: true,
    carries_handshakes: true,
};

/// The carrier, for the list.
pub(super) fn carrier(_: &Config, _: u32) -> Box<dyn Carrier> {
    Box::new(Relay)
}

/// It has no state of its own: it is open while the signaling server is.
struct Relay;

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
