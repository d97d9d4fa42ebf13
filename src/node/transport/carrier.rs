//! What a carrier is: something that moves the frames of secure channels, and says when it can.
//!
//! A carrier is one file that implements [`Carrier`] and one line in `carriers`. Secure channels do
//! not know their carriers: the transport picks one for every flush, the first in the list that is
//! open. So a carrier that opens, stalls or breaks changes nothing that a session or a wallet could
//! see.

use std::collections::VecDeque;

use super::effect::{CarrierSpec, DriverInput, Effect, Path};
use crate::api::Timestamp;
use crate::node::ctx::Ctx;
use crate::node::presence::{Address, ServerId};
use crate::sorted::Set;
use crate::wire::{PeerMessage, RelayData};

/// One carrier. Only the first three methods and [`Carrier::send`] are needed by all of them; the
/// others are for carriers that open connections of their own.
pub(super) trait Carrier: Send {
    /// What it says of itself.
    fn spec(&self) -> &'static CarrierSpec;

    /// Whether something can be sent to a peer right now.
    fn is_open(&self, ctx: &Ctx<'_>, to: &Address) -> bool;

    /// Whether a peer receives what is sent, as far as known.
    fn reaches(&self, ctx: &Ctx<'_>, to: &Address) -> bool {
        self.is_open(ctx, to)
    }

    /// Sends a message to a peer, where it is open.
    fn send(
        &mut self,
        ctx: &mut Ctx<'_>,
        out: &mut VecDeque<Effect>,
        to: &Address,
        message: &PeerMessage,
    );

    /// Whether it runs WebRTC connections, over which baseline peers talk, too.
    fn runs_connections(&self) -> bool {
        false
    }

    /// The driver says whether a peer can be reached by it, for a carrier that the driver runs by
    /// itself.
    fn set_up(&mut self, _: &Address, _: bool) {}

    /// Peers of sessions and wallets, whose early messages must not be dropped.
    fn expect(&mut self, _: &Set<Address>) {}

    /// Peers to whom a direct connection is worth it now.
    fn want(&mut self, _: &Set<Address>) {}

    /// The way to a peer that does not depend on the signaling server.
    fn path(&self, _: &Address) -> Path {
        Path::default()
    }

    /// A peer relayed something that is about connections.
    fn relayed(&mut self, _: &mut Ctx<'_>, _: &mut VecDeque<Effect>, _: &Address, _: RelayData) {}

    /// The driver reports something of a connection.
    fn driver(&mut self, _: &mut Ctx<'_>, _: &mut VecDeque<Effect>, _: DriverInput) {}

    /// The server did not know the peer to whom something was relayed.
    fn not_delivered(&mut self, _: &Address) {}

    /// A session begins with this peer: a connection that was idle is not trusted to be alive.
    fn refresh(&mut self, _: &mut VecDeque<Effect>, _: &Address) {}

    /// This node does not use a server any more.
    fn forget(&mut self, _: &mut VecDeque<Effect>, _: ServerId) {}

    /// Does what is due: opens what is wanted, repeats, replaces, closes.
    fn tick(&mut self, _: &mut Ctx<'_>, _: &mut VecDeque<Effect>) {}

    /// When [`Carrier::tick`] has something to do that waits for the clock alone.
    fn next_deadline(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }
}
