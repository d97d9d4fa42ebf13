//! `frostmesh sign`, `approve`, `decline`, `node` and `wallets check`: a node as a member of its
//! wallets. A command is such a node itself for as long as it takes, or has the node that runs in
//! its folder do it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::cli::{Decide, Local, NodeArgs, Reach, Sign};
use super::content;
use super::control::{Accepted, Control, Delegated, Waiting};
use super::driver::{Driver, Settings};
use super::endpoint::check_url;
use super::exit::{Exit, Failure, OrExit};
use super::interrupt::interrupted;
use super::open::open_existing;
use super::outcome::Outcome;
use super::policy::Policy;
use super::report::{Reporter, line, names, short};
use super::request_text::{now, show_one};
use super::store::Store;
use super::stored_wallet::one;
use crate::api::{
    Command, ErrorCode, Event, GroupView, JsonFields, MIN_REQUEST_DIGITS, Refusal, Timestamp, View,
    unknown_command,
};
use crate::audit::Body;
use crate::frost::GroupKey;
use crate::keystore::{Kind, WalletInfo};
use crate::node::{Config, Deadlines};
use crate::wire::PeerId;

/// How long `requests` waits for the members that are there to tell what is new, at most.
pub(super) const NEWS: Duration = Duration::from_secs(3);
/// How often a policy looks at what waits for a decision: limits of time end without anything else
/// happening.
const LOOK: Duration = Duration::from_secs(20);

pub(super) async fn sign(args: Sign) -> Result<(), Failure> {
    let store = Arc::new(open_existing(&args.local)?);
    let wallet = one(&store, &args.wallet)?;
    if !wallet.confirmed {
        let text = "not every participant has confirmed this key: nothing is signed with it";
        return Err(Failure::new(Exit::Keystore, text));
    }
    let operation = content::operation(args.subjects, &group_key(&wallet.info)?)?;
    let fits = operation.check_signers(usize::from(wallet.info.threshold));
    fits.or_exit(Exit::Usage, "this cannot be asked for")?;
    let pubkey = wallet.info.pubkey.clone();
    let command = Command::Request { pubkey, operation, lifetime: args.expires };
    carry_out(store, command, Some(&wallet.info), args.timeout, args.reach, args.local).await
}

pub(super) async fn decide(args: Decide, approves: bool) -> Result<(), Failure> {
    let request = args.id.to_ascii_lowercase();
    if request.len() < MIN_REQUEST_DIGITS
        || request.len() > 64
        || !request.bytes().all(|b| b.is_ascii_hexdigit())
    {
        let text = format!(
            "'{}' is no id of a request: give at least four of its hexadecimal digits",
            args.id
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    let store = Arc::new(open_existing(&args.local)?);
    if !args.local.json {
        show_one(&store, &request, args.all_items);
    }
    let command = Command::vote(request, approves);
    carry_out(store, command, None, args.timeout, args.reach, args.local).await
}

pub(super) async fn check(
    pubkey: &str,
    timeout: u64,
    reach: Reach,
    local: Local,
) -> Result<(), Failure> {
    let store = Arc::new(open_existing(&local)?);
    let wallet = one(&store, pubkey)?;
    let command = Command::Check { pubkey: wallet.info.pubkey.clone() };
    carry_out(store, command, Some(&wallet.info), timeout, reach, local).await
}

/// Carries a command out: by the node that runs in this folder, or as one.
async fn carry_out(
    store: Arc<Store>,
    command: Command,
    wallet: Option<&WalletInfo>,
    timeout: u64,
    reach: Reach,
    local: Local,
) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(timeout);
    match Member::start(store.clone(), wallet, reach, &local)? {
        Some(mut member) => {
            let result = member.until_done(&command, end, timeout).await;
            member.finish().await;
            result
        }
        None => by_running_node(&store, &command, end, timeout, &local).await,
    }
}

/// Has the running node do it, and follows what happens.
async fn by_running_node(
    store: &Store,
    command: &Command,
    end: Instant,
    timeout: u64,
    local: &Local,
) -> Result<(), Failure> {
    let mut delegated = Delegated::to_running_node(store, command).await?;
    let reporter = Reporter::new(nobody()?, local.json, local.verbose);
    if vote(command).is_some() {
        if local.json {
            line(&json!({ "event": "decided", "request": delegated.awaits }));
        }
        reporter.say("done: the node that runs here goes on with it");
        return Ok(());
    }
    reporter.say("the node that runs here does it; waiting for the others");
    loop {
        let report = tokio::select! {
            report = delegated.next() => report,
            () = sleep_until(end) => return Err(out_of_time(&reporter, timeout)),
        };
        let ended = || Failure::new(Exit::Other, "the node that runs here has ended");
        let report = report.ok_or_else(ended)?;
        if local.json {
            line(&report.event);
        }
        if let Some(outcome) = report.outcome {
            return outcome.finish(&reporter);
        }
    }
}

/// A name for a reporter that has none.
fn nobody() -> Result<PeerId, Failure> {
    "-".parse().or_exit(Exit::Other, "no name")
}

fn out_of_time(reporter: &Reporter, seconds: u64) -> Failure {
    let text = format!(
        "timed out after {seconds} s: too few members have approved and are there; what was asked for stands"
    );
    reporter.aborted(None, &text, None);
    Failure::told(Exit::TimedOut)
}

/// The request that a command votes on, if it does, and whether for it.
fn vote(command: &Command) -> Option<(&str, bool)> {
    match command {
        Command::ApproveRequest { request, .. } => Some((request, true)),
        Command::DeclineRequest { request, .. } => Some((request, false)),
        _ => None,
    }
}

/// The group key of a wallet.
fn group_key(info: &WalletInfo) -> Result<GroupKey, Failure> {
    GroupKey::of(&info.ciphersuite, &info.pubkey)
        .ok_or_else(|| Failure::new(Exit::Other, "the wallet's ciphersuite is not known here"))
}

// ---- node ----

pub(super) async fn node(args: NodeArgs) -> Result<(), Failure> {
    let store = Arc::new(open_existing(&args.local)?);
    let policy = args.policy.as_deref().map(Policy::read).transpose()?.unwrap_or_default();
    let started = Member::start(store.clone(), None, args.reach, &args.local)?;
    let mut member = started
        .ok_or_else(|| Failure::new(Exit::Other, "another node uses the wallets in this folder"))?;
    member.policy = policy;
    member.remember_approvals(&store)?;
    member.control =
        Some(Control::listen(&store).or_exit(Exit::Other, "other commands cannot be heard")?);
    let result = member.serve().await;
    let _ = std::fs::remove_file(store.control());
    member.finish().await;
    result
}

// ---- a node as a member ----

pub(super) struct Member {
    pub driver: Driver,
    reporter: Reporter,
    store: Arc<Store>,
    server: String,
    policy: Policy,
    control: Option<Control>,
}

impl Member {
    /// Connects. `None` when another node uses the wallets.
    pub(super) fn start(
        store: Arc<Store>,
        wallet: Option<&WalletInfo>,
        reach: Reach,
        local: &Local,
    ) -> Result<Option<Self>, Failure> {
        let config = Config {
            deadlines: Deadlines::default(),
            carrier: reach.carrier,
            trust_first_use: false,
        };
        let settings = Settings { config, ice_servers: reach.ice_server, store: store.clone() };
        let mut driver =
            Driver::new(settings).or_exit(Exit::Other, "the identity cannot be opened")?;
        let Some(broken) =
            driver.use_wallets().or_exit(Exit::Other, "the wallets cannot be used")?
        else {
            return Ok(None);
        };
        broken.iter().for_each(|error| eprintln!("frostmesh: left out: {error}"));
        let server = reach.server.or_else(|| store.last_server());
        let server = server.ok_or_else(|| {
            Failure::new(Exit::Usage, "say with --server where the other members are to be found")
        })?;
        check_url(&server)?;
        let peer_id = match reach.peer_id {
            Some(peer_id) => peer_id,
            None => own_name(&store, wallet)?,
        };
        let reporter = Reporter::new(peer_id.clone(), local.json, local.verbose);
        let connect = Command::Connect { server_url: server.clone(), peer_id };
        driver.command(connect).or_exit(Exit::Usage, "cannot connect")?;
        Ok(Some(Self { driver, reporter, store, server, policy: Policy::default(), control: None }))
    }

    pub(super) async fn finish(mut self) {
        // Members who are there are to hear what was decided, even if their links had not stood
        // yet.
        let end = Instant::now() + NEWS;
        while Instant::now() < end && !has_all_channels(&self.driver.view()) {
            let _ = tokio::time::timeout(Duration::from_millis(10), self.driver.next()).await;
        }
        self.driver.until_delivered().await;
        self.driver.finish().await;
    }

    /// Runs until a command is done, or its time is over.
    async fn until_done(
        &mut self,
        command: &Command,
        end: Instant,
        seconds: u64,
    ) -> Result<(), Failure> {
        let interrupted = interrupted();
        tokio::pin!(interrupted);
        let mut awaits = None;
        let mut registered = false;
        loop {
            let event = tokio::select! {
                event = self.driver.next() => event,
                () = sleep_until(end) => {
                    let Some((request, _)) = vote(command).filter(|_| awaits.is_none()) else {
                        return Err(out_of_time(&self.reporter, seconds));
                    };
                    let text = format!("no member that is there knows a request {request}");
                    return Err(Failure::new(Exit::TimedOut, text));
                }
                () = &mut interrupted => return Err(Failure::new(Exit::Aborted, "stopped; what was asked for stands")),
            };
            // What others ask for meanwhile is news for 'requests', and would be taken for the
            // answer here.
            if event.request().is_none_or(|id| {
                awaits.as_deref().is_none_or(|ours| ours == id) && may_be_about(command, id)
            }) {
                self.reporter.event(&event);
            }
            match &event {
                Event::Registered { .. } => {
                    self.store.remember_server(&self.server);
                    registered = true;
                }
                Event::ServerLost { was_registered: false, .. } => {
                    return Err(Failure::told(Exit::Server));
                }
                Event::ServerRefused { .. } => return Err(Failure::told(Exit::Other)),
                _ => {}
            }
            // A health check is of those who are there: they have to be linked first.
            let ready = registered
                && (!matches!(command, Command::Check { .. }) || self.members_are_linked(command));
            if awaits.is_none() && ready {
                awaits = self
                    .obey(command)
                    .map_err(|refusal| Failure::new(Exit::Usage, refusal.message))?;
                if awaits.is_some() && matches!(command, Command::DeclineRequest { .. }) {
                    return Ok(());
                }
                // It may have been signed before.
                let signatures = awaits.as_deref().map(|id| self.signatures_of(id));
                let signatures = signatures.unwrap_or_default();
                if !signatures.is_empty() {
                    self.reporter.results("signature", &signatures);
                    return Ok(());
                }
            }
            if let Some(awaits) = &awaits
                && let Some(outcome) = Outcome::of(command, awaits, &event)
            {
                return outcome.finish(&self.reporter);
            }
        }
    }

    fn members_are_linked(&self, command: &Command) -> bool {
        let Command::Check { pubkey } = command else { return true };
        let view = self.driver.view();
        let there = |peer: &PeerId| view.peers_online.contains(peer);
        let group = view.groups.iter().find(|group| group.pubkey == *pubkey);
        group.is_none_or(|c| c.members.iter().all(|m| m.me || m.online || !there(&m.peer_id)))
    }

    /// The signatures of a request, in the order of its items; none while it is not signed.
    fn signatures_of(&self, id: &str) -> Vec<String> {
        let requests = self.driver.view().groups.into_iter().flat_map(|group| group.requests);
        let found = requests.into_iter().find(|request| request.id == id);
        let signatures = found.map(|request| request.signatures).unwrap_or_default();
        signatures.into_iter().map(|one| one.signature).collect()
    }

    /// Gives the node a command. Returns what to wait for; `None` while the request to vote on is
    /// not known here.
    fn obey(&mut self, command: &Command) -> Result<Option<String>, Refusal> {
        if let Some((request, _)) = vote(command) {
            let view = self.driver.view();
            let Some(request) = view.request(request)? else { return Ok(None) };
            // What is signed already is what the vote is for.
            if request.signature.is_none() {
                self.driver.command(command.clone())?;
            }
            return Ok(Some(request.id.clone()));
        }
        self.driver.command(command.clone())?;
        Ok(match command {
            Command::Request { pubkey, .. } => {
                let groups = self.driver.view().groups;
                let group = groups.into_iter().find(|group| group.pubkey == *pubkey);
                group.and_then(|mut group| Some(group.requests.pop()?.id))
            }
            Command::Check { pubkey } => Some(pubkey.clone()),
            _ => None,
        })
    }

    // ---- unattended ----

    /// Stays connected until it is stopped.
    async fn serve(&mut self) -> Result<(), Failure> {
        let interrupted = interrupted();
        tokio::pin!(interrupted);
        let mut look = tokio::time::interval(LOOK);
        loop {
            let waiting = async {
                match &mut self.control {
                    Some(control) => control.waiting.recv().await,
                    None => None,
                }
            };
            let event = tokio::select! {
                event = self.driver.next() => event,
                Some(waiting) = waiting => {
                    self.answer(waiting);
                    continue;
                }
                _ = look.tick() => {
                    self.apply_policy();
                    continue;
                }
                () = &mut interrupted => return Ok(()),
            };
            self.reporter.event(&event);
            if let Some(control) = &self.control {
                control.tell(&event);
            }
            match &event {
                Event::Registered { .. } => self.store.remember_server(&self.server),
                Event::ServerRefused { .. } => return Err(Failure::told(Exit::Other)),
                Event::Requested { .. } | Event::Voted { .. } => self.apply_policy(),
                _ => {}
            }
        }
    }

    /// Carries out what another process asks for, and answers it.
    fn answer(&mut self, Waiting { text, answer }: Waiting) {
        let _ = answer.send(self.accept(&text)); // the other process may have gone away
    }

    fn accept(&mut self, text: &str) -> Result<Accepted, Refusal> {
        let key_of = |pubkey: &str| group_key(&one(&self.store, pubkey).ok()?.info).ok();
        let fields = JsonFields::parse(text, &key_of)?;
        let kind = fields.kind()?;
        let command = Command::read(&kind, &fields)?.ok_or_else(|| unknown_command(&kind))?;
        let awaits = self.obey(&command)?;
        if awaits.is_none() && vote(&command).is_some() {
            let text = "no such request is known here; 'frostmesh requests' lists them";
            return Err(Refusal::new(ErrorCode::NoSuchRequest, text));
        }
        Ok(Accepted { command, awaits })
    }

    /// Decides what waits for a decision and is in the policy.
    fn apply_policy(&mut self) {
        for group in self.driver.view().groups {
            for request in group.requests.iter().filter(|request| request.needs_decision) {
                let Some((approves, rule)) = self.policy.decide(&group.pubkey, request, now())
                else {
                    continue;
                };
                let does = if approves { "approved" } else { "declined" };
                let text = format!("request {} is {does} by the rule '{rule}'", short(&request.id));
                let (request, rule) = (request.id.clone(), Some(rule));
                let command = if approves {
                    Command::ApproveRequest { request, rule }
                } else {
                    Command::DeclineRequest { request, rule }
                };
                match self.driver.command(command) {
                    Ok(()) => self.reporter.note("decision", &text),
                    Err(error) => self.reporter.note("decision_failed", &error.to_string()),
                }
            }
        }
    }

    /// What the policy approved in an earlier life still counts for its limits.
    fn remember_approvals(&mut self, store: &Store) -> Result<(), Failure> {
        let (wallets, _) =
            store.list(Kind::Wallet).or_exit(Exit::Other, "the wallets cannot be read")?;
        for info in wallets {
            let (trail, _) =
                store.trail(&info.pubkey).or_exit(Exit::Other, "an audit trail cannot be read")?;
            for entry in trail {
                if let Ok(Body::Decision { rule, approves: true, contents, .. }) = entry.read() {
                    let at = Timestamp::from_millis(entry.time);
                    self.policy.has_approved(&rule, at, contents);
                }
            }
        }
        Ok(())
    }
}

/// Whether a request can be what a command is about, before that is known for sure.
fn may_be_about(command: &Command, id: &str) -> bool {
    match vote(command) {
        Some((request, _)) => id.starts_with(request),
        None => matches!(command, Command::Request { .. }),
    }
}

/// Whether a secure channel stands with every member that is there.
pub(super) fn has_all_channels(view: &View) -> bool {
    let there = |peer: &PeerId| view.peers_online.contains(peer);
    let told =
        |group: &GroupView| group.members.iter().all(|m| m.me || m.online || !there(&m.peer_id));
    view.groups.iter().all(told)
}

/// This node's name in a wallet, or in all of them.
fn own_name(store: &Store, wallet: Option<&WalletInfo>) -> Result<PeerId, Failure> {
    let (all, _) = store.list(Kind::Wallet).or_exit(Exit::Other, "the wallets cannot be read")?;
    let of: Vec<&WalletInfo> = wallet.map_or_else(|| all.iter().collect(), |wallet| vec![wallet]);
    let mut own: Vec<PeerId> = of.into_iter().filter_map(|info| info.own_name().cloned()).collect();
    own.sort();
    own.dedup();
    match (own.pop(), own.len()) {
        (Some(name), 0) => Ok(name),
        (None, _) => Err(Failure::new(Exit::Keystore, "there are no wallets here yet")),
        (Some(last), _) => {
            let all = format!("{}, {last}", names(&own));
            let text = format!(
                "this node goes by several names in its wallets: say with --peer-id which to use ({all})"
            );
            Err(Failure::new(Exit::Usage, text))
        }
    }
}
