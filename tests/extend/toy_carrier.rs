//! A carrier that the driver runs by itself, as a toy: it is told which peers it reaches, and hands
//! text to the driver.

use std::collections::VecDeque;

use crate::api::{CarrierInfo, Timestamp};
use crate::channel::Window;
use crate::label::Label;
use crate::node::ctx::Ctx;
use crate::node::presence::{Address, ServerId};
use crate::node::transport::carrier::Carrier;
use crate::node::transport::effect::{CarrierSpec, Effect};
use crate::node::{Config, Output};
use crate::sorted::Set;
use crate::wire::PeerMessage;

/// What it says of itself.
pub(super) static SPEC: CarrierSpec = CarrierSpec {
    info: CarrierInfo {
        id: "toy-carrier",
        about: "A carrier to play with",
        how: "by a toy",
        label: Label::new("carrier_toy", "by a toy"),
    },
    window: Window::RELAY,
    needs_server: false,
    carries_handshakes: false,
};

/// The carrier, for the list.
pub(super) fn carrier(_: &Config, _: u32) -> Box<dyn Carrier> {
    Box::new(Toy::default())
}

#[derive(Default)]
struct Toy {
    up: Set<Address>,
}

impl Carrier for Toy {
    fn spec(&self) -> &'static CarrierSpec {
        &SPEC
    }

    fn is_open(&self, _: &Ctx<'_>, to: &Address) -> bool {
        self.up.contains(to)
    }

    fn send(
        &mut self,
        _: &mut Ctx<'_>,
        out: &mut VecDeque<Effect>,
        to: &Address,
        message: &PeerMessage,
    ) {
        let (carrier, peer, text) = (SPEC.id(), to.peer.clone(), message.to_text());
        out.push_back(Effect::Output(Output::SendOver { carrier, peer, text }));
    }

    fn set_up(&mut self, peer: &Address, up: bool) {
        if up {
            self.up.insert(peer.clone());
        } else {
            self.up.remove(peer);
        }
    }

    fn forget(&mut self, _: &mut VecDeque<Effect>, server: ServerId) {
        let kept = self.up.iter().filter(|peer| peer.server != server).cloned();
        self.up = kept.collect();
    }

    fn next_deadline(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }
}
