//! What happens after every input: carriers do what is due, channels hand their frames to carriers,
//! and users of the transport hear what has changed.

use super::carrier::Carrier;
use super::effect::{CarrierSpec, Effect, Path};
use super::{Scope, Slot, Transport};
use crate::api::Event;
use crate::node::Output;
use crate::node::ctx::Ctx;
use crate::node::presence::Address;
use crate::sorted::Set;
use crate::wire::{PeerId, PeerMessage, SessionId};

impl Transport {
    pub(super) fn tick(&mut self, ctx: &mut Ctx<'_>) {
        let (expected, wanted) = (self.expected(), self.wanted(ctx));
        let out = &mut self.effects;
        for carrier in &mut self.carriers {
            carrier.expect(&expected);
            carrier.want(&wanted);
            carrier.tick(ctx, out);
        }
        self.greet_members(ctx);
        self.flush(ctx);
        self.report_carriers(ctx);
        self.report_paths();
    }

    /// The carriers that a node's settings allow, the preferred one first.
    fn allowed(&self, ctx: &Ctx<'_>) -> impl Iterator<Item = &dyn Carrier> {
        let choice = ctx.config.carrier;
        let carriers = self.carriers.iter().map(|carrier| &**carrier);
        carriers.filter(move |carrier| choice.allows(carrier.spec().id()))
    }

    /// The carrier for a channel's next messages: its number in the list.
    fn carrier_for(&self, ctx: &Ctx<'_>, to: &Address, handshaking: bool) -> Option<usize> {
        let open = |carrier: &&dyn Carrier| carrier.is_open(ctx, to);
        let beside = self.carriers.iter().map(|c| &**c).filter(|c| c.spec().carries_handshakes);
        let beside = if handshaking { beside.into_iter().find(open) } else { None };
        let chosen = beside.or_else(|| self.allowed(ctx).find(open))?.spec().id();
        self.carriers.iter().position(|carrier| carrier.spec().id() == chosen)
    }

    /// Hands what the channels have to send to their carriers.
    pub(super) fn flush(&mut self, ctx: &mut Ctx<'_>) {
        let mut sending: Vec<(usize, Address, PeerMessage)> = Vec::new();
        let mut slots = std::mem::take(&mut self.slots);
        for ((session, peer), slot) in slots.iter_mut() {
            let Some(to) = self.address(ctx.presence, session, peer) else { continue };
            // A member that is away for days gets nothing over and over: it asks when it comes.
            let is_group = matches!(self.scopes.get(session), Some(Scope::Group(_)));
            if is_group && !ctx.presence.is_present(&to) && !self.path(&to).works {
                continue;
            }
            for channel in [Some(&mut slot.channel), slot.successor.as_mut()].into_iter().flatten()
            {
                channel.tick(ctx.now);
                let Some(carrier) = self.carrier_for(ctx, &to, !channel.is_open()) else {
                    continue;
                };
                let messages = channel.flush(self.carriers[carrier].spec(), ctx.now);
                sending.extend(messages.into_iter().map(|m| (carrier, to.clone(), m)));
            }
        }
        self.slots = slots;
        for (carrier, to, message) in sending {
            self.carriers[carrier].send(ctx, &mut self.effects, &to, &message);
        }
    }

    /// Reports what carries each channel, where that has changed.
    fn report_carriers(&mut self, ctx: &Ctx<'_>) {
        let mut slots = std::mem::take(&mut self.slots);
        for ((session, peer), slot) in slots.iter_mut() {
            let to = self.address(ctx.presence, session, peer).filter(|_| slot.channel.is_open());
            let reaching = to.and_then(|to| self.allowed(ctx).find(|c| c.reaches(ctx, &to)));
            let carrier = reaching.map(Carrier::spec);
            let id = |spec: Option<&'static CarrierSpec>| spec.map(CarrierSpec::id);
            if id(carrier) != id(slot.carried) {
                slot.carried = carrier;
                let (session, peer) = (session.clone(), peer.clone());
                self.effects.push_back(Effect::Carried { session, peer, carrier });
            }
            self.announce(session, peer, slot);
            if slot.channel.is_confirmed() && !std::mem::replace(&mut slot.confirmed, true) {
                let (session, peer) = (session.clone(), peer.clone());
                self.effects.push_back(Effect::Confirmed { session, peer });
            }
        }
        self.slots = slots;
    }

    /// Tells people who can be reached in a session, and by which carrier.
    fn announce(&mut self, session: &SessionId, peer: &PeerId, slot: &mut Slot) {
        if !matches!(self.scopes.get(session), Some(Scope::Session(_))) {
            return;
        }
        let Some(carrier) = slot.carried.map(CarrierSpec::id) else { return };
        if slot.announced == Some(carrier) {
            return;
        }
        let peer_id = peer.clone();
        let event = match slot.announced.replace(carrier) {
            None => Event::PeerConnected { peer_id, carrier, verified: true },
            Some(_) => Event::Carrier { peer_id, carrier },
        };
        self.effects.push_back(Effect::Output(Output::Event(event)));
    }

    /// Reports direct ways to peers of sessions, where they have changed.
    fn report_paths(&mut self) {
        let mut addresses: Set<Address> = self.paths.keys().cloned().collect();
        for scope in self.scopes.values() {
            if let Scope::Session(scope) = scope {
                addresses.extend(scope.peers.iter().map(|p| Address::new(scope.server, p)));
            }
        }
        for address in addresses {
            let path = self.path(&address);
            let before = self.paths.get(&address).copied().unwrap_or_default();
            if path == before {
                continue;
            }
            if path == Path::default() {
                self.paths.remove(&address);
            } else {
                self.paths.insert(address.clone(), path);
            }
            self.effects.push_back(Effect::Path { address, path });
        }
    }
}
