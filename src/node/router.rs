//! The [`Node`]: four machines, and a router that moves what one asks for to the one that does it.
//!
//! ```text
//!              commands, inputs of the driver
//!                           |
//!   signaling <--> transport <--> keygen      (sessions)
//!                            <--> wallets     (requests, votes, ceremonies)
//!                           |
//!                outputs for the driver
//! ```
//!
//! Each machine has the same shape: `handle(ctx, input)` takes something, `poll(ctx)` hands out
//! what is to be done and does what is due by the clock, `next_deadline` says when the clock alone
//! moves it. After every input the router polls the machines until all are quiet. It does not
//! matter in which order it asks them: tests shuffle it ([`Node::set_machine_order`]).

use std::collections::VecDeque;

use super::ctx::Ctx;
use super::keygen::{self, Keygen, KeygenCommand};
use super::presence::{Address, Presence, ServerId};
use super::signaling::{self, Signaling};
use super::transport::{self, DriverInput, Transport};
use super::wallet::{self, WalletCommand, Wallets};
use super::{Config, Input, Output};
use crate::api::{Command, ContactView, Error, Event, MIN_REQUEST_DIGITS, Timestamp, View};
use crate::frost::Randomness;
use crate::identity::{Contact, Contacts, IdentityKey};
use crate::wire::{PeerId, PeerMessage, SessionId};

/// The machines of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// Connections to signaling servers.
    Signaling,
    /// Secure channels over carriers.
    Transport,
    /// Sessions: key generation.
    Keygen,
    /// Groups: what the members of wallets do.
    Wallets,
}

/// What the machines may use.
struct Shared {
    config: Config,
    rng: Box<dyn Randomness + Send>,
    identity: IdentityKey,
    contacts: Contacts,
    presence: Presence,
}

impl Shared {
    fn ctx(&mut self, now: Timestamp) -> Ctx<'_> {
        Ctx {
            now,
            rng: &mut *self.rng,
            identity: &self.identity,
            config: &self.config,
            contacts: &self.contacts,
            presence: &self.presence,
        }
    }
}

/// A node: every protocol decision, and no IO. See the [module](super) for how to drive it.
pub struct Node {
    shared: Shared,
    signaling: Signaling,
    transport: Transport,
    keygen: Keygen,
    wallets: Wallets,
    order: [Machine; 4],
    out: VecDeque<Output>,
    /// When the last input came.
    now: Timestamp,
    /// When the driver was asked for a tick.
    wake: Option<Timestamp>,
    /// What people see may have changed since they were told so.
    view_changed: bool,
}

impl Node {
    /// A node that is offline and has no sessions. `rng` must be a cryptographic one outside of
    /// tests.
    pub fn new(
        config: Config,
        identity: IdentityKey,
        contacts: Contacts,
        rng: impl Randomness + Send + 'static,
    ) -> Self {
        let mut rng = Box::new(rng);
        let transport = Transport::new(&config, rng.next_u32());
        Self {
            shared: Shared { config, rng, identity, contacts, presence: Presence::default() },
            signaling: Signaling::default(),
            transport,
            keygen: Keygen::default(),
            wallets: Wallets::default(),
            order: [Machine::Signaling, Machine::Transport, Machine::Keygen, Machine::Wallets],
            out: VecDeque::new(),
            now: Timestamp::default(),
            wake: None,
            view_changed: false,
        }
    }

    /// In which order the machines are polled. For tests, which show that it does not matter.
    #[doc(hidden)]
    pub fn set_machine_order(&mut self, order: [Machine; 4]) {
        self.order = order;
    }

    /// Takes one input. Drain [`Node::poll`] afterwards.
    ///
    /// # Errors
    /// A command that cannot be carried out; nothing has changed then. Other inputs never fail:
    /// what others send is judged, not trusted.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Result<(), Error> {
        self.now = now;
        self.view_changed |= !matches!(input, Input::Tick);
        let result = match input {
            Input::Tick => {
                self.wake = None; // the driver's timer is spent
                Ok(())
            }
            Input::Command(command) => self.command(command),
            other => {
                self.happened(other);
                Ok(())
            }
        };
        self.leave_unneeded_servers();
        self.settle();
        if std::mem::take(&mut self.view_changed) {
            self.out.push_back(Output::ViewChanged);
        }
        self.ask_to_wake();
        result
    }

    /// The next thing to do, if any.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Whether every peer that can be reached has everything that was sent over secure channels,
    /// and everything is stored.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.wallets.is_durable() && self.transport.is_delivered(&self.shared.presence)
    }

    /// A snapshot for people.
    #[must_use]
    pub fn view(&self) -> View {
        let presence = &self.shared.presence;
        let home = self.signaling.home().and_then(|id| presence.at(id));
        let others = home.into_iter().flat_map(|at| {
            let me = at.me();
            at.present().iter().filter(move |id| *id != me).cloned()
        });
        View {
            connection: self.signaling.view(),
            peers_online: others.collect(),
            sessions: self.keygen.session_views(),
            invites: self.keygen.invite_views(),
            identity: self.shared.identity.identity().fingerprint().to_string(),
            contacts: self.shared.contacts.iter().map(contact_view).collect(),
            groups: self.wallets.views(self.now),
        }
    }

    // ---- commands ----

    fn command(&mut self, command: Command) -> Result<(), Error> {
        match command {
            Command::Connect { server_url, peer_id } => {
                self.connect(server_url, peer_id);
                Ok(())
            }
            Command::Disconnect => {
                if let Some(server) = self.signaling.home() {
                    self.keygen_input(keygen::Input::Leaving { server, all: false });
                    self.settle(); // while there is a way to send it
                    let ctx = &mut self.shared.ctx(self.now);
                    self.signaling.close(ctx, server);
                }
                Ok(())
            }
            Command::ListPeers => {
                let home = self.signaling.home();
                let online = home.filter(|id| self.shared.presence.is_online(*id));
                let server = online.ok_or(Error::Offline)?;
                self.signaling.list_peers(&mut self.shared.ctx(self.now), server);
                Ok(())
            }
            Command::Propose { session_id, participants, threshold, suite, allow_unverified } => {
                let server = self.home()?;
                self.unused_by_wallets(&session_id)?;
                self.keygen_command(KeygenCommand::Propose {
                    server,
                    session_id,
                    participants,
                    threshold,
                    suite,
                    allow_unverified,
                })
            }
            Command::Accept { session_id, allow_unverified } => {
                self.keygen_command(KeygenCommand::Accept { session_id, allow_unverified })
            }
            Command::Decline { session_id } => {
                self.keygen_command(KeygenCommand::Decline { session_id })
            }
            Command::ConfirmWords { session_id, they_match } => {
                self.keygen_command(KeygenCommand::ConfirmWords { session_id, they_match })
            }
            Command::Invite { session_id, total, threshold, suite, name, lifetime } => {
                let server = self.home()?;
                let server_url = self.signaling.url(server).unwrap_or_default().to_owned();
                self.keygen_command(KeygenCommand::Invite {
                    server,
                    server_url,
                    session_id,
                    total,
                    threshold,
                    suite,
                    name,
                    lifetime,
                })
            }
            Command::JoinInvite { invite, peer_id } => {
                let server = self.server_of_invite(&invite.server_url, peer_id)?;
                self.keygen_command(KeygenCommand::JoinInvite { server, invite })
            }
            Command::Cancel { session_id } => {
                self.keygen_command(KeygenCommand::Cancel { session_id })
            }
            Command::Dismiss { session_id } => {
                self.keygen_command(KeygenCommand::Dismiss { session_id })
            }
            Command::Request { pubkey, operation, lifetime } => {
                self.wallet_command(WalletCommand::Request { pubkey, operation, lifetime })
            }
            Command::ApproveRequest { request, rule } => self.vote(&request, true, rule),
            Command::DeclineRequest { request, rule } => self.vote(&request, false, rule),
            Command::Check { pubkey } => self.wallet_command(WalletCommand::Check { pubkey }),
            Command::RenameContact { who, name } => {
                self.shared.contacts.rename(&who, &name)?;
                self.store_contacts();
                Ok(())
            }
            Command::ForgetContact { who } => {
                self.shared.contacts.forget(&who)?;
                self.store_contacts();
                Ok(())
            }
            Command::BlockContact { who, blocked } => {
                self.shared.contacts.block(&who, blocked)?;
                self.store_contacts();
                Ok(())
            }
        }
    }

    fn home(&self) -> Result<ServerId, Error> {
        self.signaling.home().ok_or(Error::Offline)
    }

    /// The server of an invite: the home server, or another one to which the node connects for it.
    fn server_of_invite(&mut self, url: &str, peer_id: Option<PeerId>) -> Result<ServerId, Error> {
        let is_there = |known: &str| known.trim_end_matches('/') == url.trim_end_matches('/');
        let home = self.signaling.home();
        if let Some(home) = home.filter(|id| self.signaling.url(*id).is_some_and(is_there)) {
            return Ok(home);
        }
        let text = "the invite is for another signaling server: connect to that one";
        let peer_id = peer_id.ok_or(Error::Invite(text))?;
        let ctx = &mut self.shared.ctx(self.now);
        Ok(self.signaling.join(ctx, url.to_owned(), peer_id))
    }

    /// Leaves servers that no invite and no session needs any more.
    fn leave_unneeded_servers(&mut self) {
        for server in self.signaling.further() {
            if self.keygen.needs_server(server, self.now) {
                continue;
            }
            self.transport_input(transport::Input::Forget { server });
            self.signaling.forget(&mut self.shared.ctx(self.now), server);
        }
    }

    fn unused_by_wallets(&self, session_id: &SessionId) -> Result<(), Error> {
        let used = self.wallets.uses(session_id);
        if used { Err(Error::SessionIdUsed(session_id.clone())) } else { Ok(()) }
    }

    /// Makes a server the home server, in place of another one.
    fn connect(&mut self, url: String, me: PeerId) {
        if let Some(home) = self.signaling.home().filter(|_| !self.signaling.is_home(&url, &me)) {
            self.keygen_input(keygen::Input::Leaving { server: home, all: true });
            self.settle(); // while there is a way to send it
            let ctx = &mut self.shared.ctx(self.now);
            self.transport.handle(ctx, transport::Input::Forget { server: home });
            self.settle();
            self.signaling.forget(&mut self.shared.ctx(self.now), home);
            self.settle();
        }
        let server = self.signaling.connect(&mut self.shared.ctx(self.now), url, me);
        self.shared.presence.set_home(Some(server));
    }

    fn store_contacts(&mut self) {
        self.out.push_back(Output::StoreContacts(self.shared.contacts.clone()));
    }

    /// Votes on the request whose id begins so.
    fn vote(&mut self, request: &str, approves: bool, rule: Option<String>) -> Result<(), Error> {
        let view = self.view();
        let known = if request.len() < MIN_REQUEST_DIGITS { None } else { view.request(request)? };
        let mut id = [0; 32];
        let known = known.filter(|known| hex::decode_to_slice(&known.id, &mut id).is_ok());
        known.ok_or_else(|| Error::NoSuchRequest(request.to_owned()))?;
        self.wallet_command(WalletCommand::Vote { request: id, approves, rule })
    }

    fn keygen_command(&mut self, command: KeygenCommand) -> Result<(), Error> {
        self.keygen.command(&mut self.shared.ctx(self.now), command)
    }

    fn wallet_command(&mut self, command: WalletCommand) -> Result<(), Error> {
        self.wallets.command(&mut self.shared.ctx(self.now), command)
    }

    // ---- what happens outside ----

    fn happened(&mut self, input: Input) {
        match input {
            Input::Command(_) | Input::Tick => {}
            Input::Server { server, event } => {
                self.signaling.handle(&mut self.shared.ctx(self.now), (server, event));
            }
            Input::LocalDescription { peer, attempt, sdp } => {
                self.driver_input(DriverInput::LocalDescription { peer, attempt, sdp });
            }
            Input::LocalCandidate { peer, attempt, candidate } => {
                self.driver_input(DriverInput::LocalCandidate { peer, attempt, candidate });
            }
            Input::DataChannelOpened { peer, attempt } => {
                self.driver_input(DriverInput::Opened { peer, attempt });
            }
            Input::DataChannelText { peer, attempt, text } => {
                self.driver_input(DriverInput::Text { peer, attempt, text });
            }
            Input::DataChannelInterrupted { peer, attempt, interrupted } => {
                self.driver_input(DriverInput::Interrupted { peer, attempt, interrupted });
            }
            Input::ConnectionClosed { peer, attempt, reason } => {
                self.driver_input(DriverInput::Closed { peer, attempt, reason });
            }
            Input::Carrier { carrier, peer, event } => {
                if let Some(server) = self.signaling.home() {
                    let from = Address::new(server, &peer);
                    self.transport_input(transport::Input::Carrier { carrier, from, event });
                }
            }
            Input::Stored { session_id, result } => {
                self.keygen_input(keygen::Input::Stored { session_id, result });
            }
            Input::OpenWallet(stored) => self.wallet_input(wallet::Input::Open(stored)),
            Input::EntryStored { pubkey, number, result } => {
                self.wallet_input(wallet::Input::EntryStored { pubkey, number, result });
            }
        }
    }

    fn driver_input(&mut self, input: DriverInput) {
        self.transport_input(transport::Input::Driver(input));
    }

    fn transport_input(&mut self, input: transport::Input) {
        self.transport.handle(&mut self.shared.ctx(self.now), input);
    }

    fn keygen_input(&mut self, input: keygen::Input) {
        self.keygen.handle(&mut self.shared.ctx(self.now), input);
    }

    fn wallet_input(&mut self, input: wallet::Input) {
        self.wallets.handle(&mut self.shared.ctx(self.now), input);
    }

    // ---- moving effects ----

    /// Moves effects between the machines until all are quiet.
    fn settle(&mut self) {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for machine in self.order {
                while self.step(machine) {
                    quiet = false;
                }
            }
        }
    }

    /// Polls one machine once. True if it had something to do.
    fn step(&mut self, machine: Machine) -> bool {
        let ctx = &mut self.shared.ctx(self.now);
        match machine {
            Machine::Signaling => {
                let effect = self.signaling.poll(ctx);
                effect.map(|effect| self.of_signaling(effect)).is_some()
            }
            Machine::Transport => {
                let effect = self.transport.poll(ctx);
                effect.map(|effect| self.of_transport(effect)).is_some()
            }
            Machine::Keygen => {
                let effect = self.keygen.poll(ctx);
                effect.map(|effect| self.of_keygen(effect)).is_some()
            }
            Machine::Wallets => {
                let effect = self.wallets.poll(ctx);
                effect.map(|effect| self.of_wallets(effect)).is_some()
            }
        }
    }

    fn output(&mut self, output: Output) {
        self.view_changed |= matches!(output, Output::Event(_));
        self.out.push_back(output);
    }

    fn of_signaling(&mut self, effect: signaling::Effect) {
        match effect {
            signaling::Effect::Output(output) => self.output(output),
            signaling::Effect::Presence(server, change) => {
                self.shared.presence.apply(server, change);
            }
            signaling::Effect::Registered(server) => {
                self.transport_input(transport::Input::Registered { server });
                self.wallet_input(wallet::Input::Registered);
            }
            signaling::Effect::Relayed { server, from, data } => {
                let from = Address::new(server, &from);
                self.transport_input(transport::Input::Relayed { from, data });
            }
            signaling::Effect::NotDelivered { server, peer } => {
                let to = Address::new(server, &peer);
                self.transport_input(transport::Input::NotDelivered { to });
            }
            signaling::Effect::Gone(server, why) => {
                self.keygen_input(keygen::Input::ServerGone { server, why });
            }
            signaling::Effect::Refused(server, why) => {
                self.keygen_input(keygen::Input::ServerRefused { server, why });
            }
        }
    }

    fn of_transport(&mut self, effect: transport::Effect) {
        match effect {
            transport::Effect::Output(output) => self.output(output),
            transport::Effect::Relay { server, to, data } => {
                self.signaling.relay(server, to, &data);
            }
            transport::Effect::Opened { session, peer, .. } if self.wallets.uses(&session) => {
                self.wallet_input(wallet::Input::ChannelOpened { session, peer });
            }
            transport::Effect::Received { session, peer, message }
                if self.wallets.uses(&session) =>
            {
                self.wallet_input(wallet::Input::Received { session, peer, message });
            }
            transport::Effect::Carried { session, peer, carrier }
                if self.wallets.uses(&session) =>
            {
                let carrier = carrier.map(transport::CarrierSpec::id);
                self.wallet_input(wallet::Input::Carried { session, peer, carrier });
            }
            transport::Effect::Plaintext {
                address,
                message: PeerMessage::SessionProposal(proposal),
                ..
            } if self.wallets.uses(&proposal.session_id) => {
                let reason =
                    "a proposal under the name that the members of a wallet use".to_owned();
                self.output(Output::Event(Event::Ignored { peer_id: Some(address.peer), reason }));
            }
            effect => self.keygen_input(keygen::Input::Transport(effect)),
        }
    }

    fn of_keygen(&mut self, effect: keygen::Effect) {
        match effect {
            keygen::Effect::Output(output) => self.output(output),
            keygen::Effect::Transport(input) => self.transport_input(input),
            keygen::Effect::Met(met) => {
                for (peer, identity, verified) in met {
                    self.shared.contacts.met(&peer, identity, verified, self.now.millis());
                }
                self.store_contacts();
            }
            keygen::Effect::AwaitPeers { server, awaits } => {
                self.signaling.await_peers(server, awaits);
            }
        }
    }

    fn of_wallets(&mut self, effect: wallet::Effect) {
        self.view_changed = true;
        match effect {
            wallet::Effect::Join { session, me, members } => {
                let input = transport::Input::Group { session, server: None, me, members };
                self.transport_input(input);
            }
            wallet::Effect::Send { session, peer, text } => {
                self.transport_input(transport::Input::Send { session, peer, text });
            }
            wallet::Effect::Busy { session, busy } => {
                self.transport_input(transport::Input::Busy { session, busy });
            }
            wallet::Effect::Output(wallet::Output::Event(event)) => {
                self.output(Output::Event(event));
            }
            wallet::Effect::Output(wallet::Output::StoreEntry { pubkey, entry, head }) => {
                self.out.push_back(Output::StoreEntry { pubkey, entry, head });
            }
        }
    }

    /// Asks the driver for a tick at the next moment at which the clock alone moves something.
    fn ask_to_wake(&mut self) {
        let ctx = &self.shared.ctx(self.now);
        let times = [
            self.signaling.next_deadline(ctx),
            self.transport.next_deadline(ctx),
            self.keygen.next_deadline(ctx),
            self.wallets.next_deadline(self.now),
        ];
        // What is due already and could not be done waits for its cause, not for the clock.
        let next = times.into_iter().flatten().filter(|at| *at > self.now).min();
        if next != self.wake {
            self.wake = next;
            self.out.extend(next.map(Output::WakeAt));
        }
    }
}

fn contact_view(contact: &Contact) -> ContactView {
    ContactView {
        name: contact.name.clone(),
        fingerprint: contact.identity.fingerprint().to_string(),
        first_seen: Timestamp::from_millis(contact.first_seen),
        last_seen: Timestamp::from_millis(contact.last_seen),
        verified: contact.verified,
        blocked: contact.blocked,
    }
}
