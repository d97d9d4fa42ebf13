//! `frostmesh create` and `frostmesh join`: a node that takes part in one session.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::time::{Instant, sleep_until};

use super::cli::{Local, Network};
use super::driver::{Driver, Settings};
use super::endpoint::{Endpoint, check_url};
use super::exit::{Exit, Failure, OrExit};
use super::interrupt::interrupted;
use super::open::open_store;
use super::report::Reporter;
use super::store::Store;
use super::stun;
use crate::api::{Command, Error, Event, ReasonKind, SessionView};
use crate::keystore::{Kind, WalletInfo};
use crate::node::{Config, Deadlines};
use crate::wire::SessionId;

pub(super) async fn take_part(
    endpoint: Endpoint,
    network: Network,
    local: Local,
    session: Option<SessionId>,
    first: Option<Command>,
) -> Result<(), Failure> {
    check_url(&endpoint.server)?;
    if let Some(bad) = network.ice_server.iter().find(|url| stun::parse_url(url).is_none()) {
        return Err(Failure::new(
            Exit::Usage,
            format_args!("{bad} is no STUN server: use stun:HOST:PORT"),
        ));
    }
    let store = Arc::new(open_store(&local)?);
    let timeout = network.timeout * 1000;
    let usual = Deadlines::default();
    let deadlines =
        Deadlines { proposal: timeout, mesh: timeout, step: usual.step.min(timeout), ..usual };
    let config =
        Config { deadlines, carrier: network.carrier, trust_first_use: network.trust_first_use };
    let settings = Settings { config, ice_servers: network.ice_server, store: store.clone() };
    let mut this = Participation {
        driver: Driver::new(settings).or_exit(Exit::Other, "the identity cannot be opened")?,
        reporter: Reporter::new(endpoint.peer_id.clone(), local.json, local.verbose),
        session,
        first,
        allow_unverified: network.allow_unverified,
        joined: false,
        comparing: false,
        testing: None,
        store,
        server: endpoint.server.clone(),
    };
    let free =
        this.driver.use_wallets().or_exit(Exit::Other, "the wallets cannot be used")?.is_some();
    let of_that_name = |wallet: &WalletInfo| wallet.own_name() == Some(&endpoint.peer_id);
    let kept = || this.store.list(Kind::Wallet).or_exit(Exit::Other, "the wallets cannot be read");
    if !free && kept()?.0.iter().any(of_that_name) {
        let text = format_args!(
            "a node or another command uses the wallets in this folder and is {0} at the server, which knows one {0} only: \
             wait until it is done, or stop it; a node that starts again takes the new key into use",
            endpoint.peer_id
        );
        return Err(Failure::new(Exit::Other, text));
    }
    let connect = Command::Connect { server_url: endpoint.server, peer_id: endpoint.peer_id };
    this.driver.command(connect).or_exit(Exit::Usage, "cannot connect")?;
    let result =
        this.until(Instant::now() + Duration::from_secs(network.timeout), network.timeout).await;
    this.driver.until_delivered().await;
    this.driver.finish().await;
    result
}

/// How long the participants may take to sign a test with a new key.
const TEST: Duration = Duration::from_secs(30);

/// A node that takes part in one session.
struct Participation {
    driver: Driver,
    reporter: Reporter,
    /// The session, once it is known.
    session: Option<SessionId>,
    /// The command to give once this node is registered.
    first: Option<Command>,
    allow_unverified: bool,
    joined: bool,
    /// The person is to compare the safety words.
    comparing: bool,
    /// The key is made; the members sign a test with it, by then at the latest.
    testing: Option<(String, Instant)>,
    store: Arc<Store>,
    /// The signaling server, to be remembered with the wallet.
    server: String,
}

impl Participation {
    /// Runs until the session is over, none was proposed in time, or the person interrupts. Waits
    /// within a session end by the node's own deadlines, so that the other participants learn for
    /// whom it waited.
    async fn until(&mut self, deadline: Instant, seconds: u64) -> Result<(), Failure> {
        let interrupted = interrupted();
        tokio::pin!(interrupted);
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        loop {
            let event = tokio::select! {
                event = self.driver.next() => event,
                () = sleep_until(deadline), if !self.joined => return Err(self.out_of_time(seconds)),
                () = sleep_until(self.testing.as_ref().map_or(deadline, |(_, at)| *at)), if self.testing.is_some() => {
                    let text = "not every participant has signed a test: see who can with 'frostmesh wallets check'";
                    self.reporter.note("wallet_not_ready", text);
                    return Ok(());
                }
                answer = typed(&mut lines), if self.comparing => {
                    self.compared(answer)?;
                    continue;
                }
                () = &mut interrupted, if self.testing.is_none() => return Err(self.leave()),
            };
            self.reporter.event(&event);
            if let Some(result) = self.event(event) {
                return result;
            }
        }
    }

    /// Acts on an event. `Some` when this was the end.
    fn event(&mut self, event: Event) -> Option<Result<(), Failure>> {
        let ours = |this: &Self, id: &SessionId| this.joined && this.session.as_ref() == Some(id);
        match event {
            Event::Registered { .. } => match self.first.take() {
                Some(first) => {
                    // An invite may wait until it expires: its guests are shown meanwhile.
                    self.joined = matches!(first, Command::Propose { .. });
                    if let Command::JoinInvite { invite, .. } = &first {
                        self.reporter.say(&format!(
                            "joining the session of {}, by invite",
                            invite.initiator
                        ));
                    }
                    if let Err(error) = self.driver.command(first) {
                        return Some(Err(Failure::new(Exit::Usage, error)));
                    }
                }
                None if !self.joined => match &self.session {
                    Some(id) => {
                        self.reporter.say(&format!("waiting for the proposal of session {id}"))
                    }
                    None => self.reporter.say("waiting for a proposal"),
                },
                None => {}
            },
            Event::Proposed { session_id, .. }
                if !self.joined && self.session.as_ref().is_none_or(|id| *id == session_id) =>
            {
                self.session = Some(session_id.clone());
                self.joined = true;
                let waiting = self.session(&session_id).is_some_and(|s| s.needs_decision);
                let accept =
                    Command::Accept { session_id, allow_unverified: self.allow_unverified };
                match if waiting { self.driver.command(accept) } else { Ok(()) } {
                    Ok(()) => {}
                    Err(Error::UnverifiedNotAllowed) => return Some(Err(self.refuse())),
                    Err(error) => return Some(Err(Failure::new(Exit::Other, error))),
                }
            }
            Event::Words { session_id, .. } if ours(self, &session_id) => self.comparing = true,
            Event::ServerLost { was_registered: false, .. } => {
                return Some(Err(Failure::told(Exit::Server)));
            }
            Event::ServerRefused { .. } => return Some(Err(Failure::told(Exit::Other))),
            // A session that needs the server ends now, with an event of its own. Others go on.
            Event::ServerGone { .. } if !self.joined => {
                return Some(Err(Failure::told(Exit::Server)));
            }
            Event::WalletCreated { session_id, pubkey, .. } if ours(self, &session_id) => {
                self.reporter.result("group key", &pubkey);
                self.store.remember_server(&self.server);
                // Only members with a proven identity sign together.
                let proven = self.session(&session_id).is_some_and(|s| s.verified_only);
                if !(proven && self.driver.has_wallets()) {
                    return Some(Ok(()));
                }
                self.testing = Some((pubkey, Instant::now() + TEST));
            }
            Event::WalletReady { pubkey }
                if self.testing.as_ref().is_some_and(|(key, _)| *key == pubkey) =>
            {
                return Some(Ok(()));
            }
            Event::Aborted { session_id, reason } if ours(self, &session_id) => {
                return Some(Err(Failure::told(match reason.kind {
                    ReasonKind::TimedOut => Exit::TimedOut,
                    ReasonKind::ServerLost => Exit::Server,
                    _ => Exit::Aborted,
                })));
            }
            _ => {}
        }
        None
    }

    fn out_of_time(&self, seconds: u64) -> Failure {
        let guests = self.driver.view().invites.into_iter().find(|invite| invite.mine);
        let what = match (guests, &self.first) {
            (Some(invite), _) => {
                format!(
                    "{} of {} guests have come by the invite",
                    invite.guests.len(),
                    invite.total.saturating_sub(1)
                )
            }
            (None, Some(_)) => "the server did not answer".to_owned(),
            (None, None) => "no proposal came".to_owned(),
        };
        let text = format!("timed out after {seconds} s: {what}");
        self.reporter.aborted(self.session.as_ref().map(SessionId::as_str), &text, None);
        Failure::told(Exit::TimedOut)
    }

    /// What the node shows of a session.
    fn session(&self, id: &SessionId) -> Option<SessionView> {
        self.driver.view().sessions.into_iter().find(|session| session.session_id == *id)
    }

    /// A session without verified identities is joined only by explicit choice.
    fn refuse(&mut self) -> Failure {
        if let Some(session_id) = self.session.clone() {
            let _ = self.driver.command(Command::Decline { session_id }); // over already, perhaps
        }
        let text = "the session that was proposed takes participants that prove nothing: whoever runs the signaling server \
                    could pose as them and collect shares. If you trust it and them, say so with --allow-unverified";
        Failure::new(Exit::Usage, text)
    }

    /// Handles the person's answer about the safety words.
    fn compared(&mut self, answer: Option<String>) -> Result<(), Failure> {
        let Some(answer) = answer else {
            self.cancel();
            let text = "the safety words have to be compared, and there is nobody to ask: run it in a terminal, or take \
                        identities that are met for the first time at their word with --trust-first-use";
            return Err(Failure::new(Exit::Usage, text));
        };
        let they_match = match answer.trim().to_ascii_lowercase().as_str() {
            "yes" | "y" => true,
            "no" | "n" => false,
            _ => {
                self.reporter.say("type yes or no");
                return Ok(());
            }
        };
        self.comparing = false;
        if let Some(session_id) = self.session.clone() {
            let _ = self.driver.command(Command::ConfirmWords { session_id, they_match }); // over already, perhaps
        }
        Ok(())
    }

    fn leave(&mut self) -> Failure {
        self.cancel();
        self.reporter.aborted(self.session.as_ref().map(SessionId::as_str), "stopped here", None);
        Failure::told(Exit::Aborted)
    }

    fn cancel(&mut self) {
        if !self.joined {
            return;
        }
        if let Some(session_id) = self.session.clone() {
            let _ = self.driver.command(Command::Cancel { session_id }); // over already, perhaps
        }
    }
}

/// A line from stdin. `None` at its end.
async fn typed(lines: &mut Lines<BufReader<Stdin>>) -> Option<String> {
    lines.next_line().await.ok().flatten()
}
