//! What a connection may use while something happens to it.

use std::collections::VecDeque;

use crate::node::Output;
use crate::node::ctx::Ctx;
use crate::node::presence::ServerId;
use crate::node::transport::effect::Effect;
use crate::wire::{PeerId, RelayData};

/// What a connection may use: the step's context, its server, and the queue of effects.
pub(super) struct Surroundings<'a, 'c> {
    pub ctx: &'a mut Ctx<'c>,
    pub server: ServerId,
    pub out: &'a mut VecDeque<Effect>,
}

impl Surroundings<'_, '_> {
    pub(super) fn is_online(&self) -> bool {
        self.ctx.presence.is_online(self.server)
    }

    pub(super) fn is_present(&self, peer: &PeerId) -> bool {
        self.ctx.presence.at(self.server).is_some_and(|known| known.present().contains(peer))
    }

    pub(super) fn relay(&mut self, to: &PeerId, data: RelayData) {
        if self.is_online() {
            self.out.push_back(Effect::Relay { server: self.server, to: to.clone(), data });
        }
    }

    pub(super) fn output(&mut self, output: Output) {
        self.out.push_back(Effect::Output(output));
    }
}
