//! `frostmesh sign`, `approve`, `decline`, `node` and `wallets check`: a node as a member of its wallets. A command is such a
//! node itself for as long as it takes, or has the node that runs in its folder do it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::cli::{Decide, Local, NodeArgs, Reach, Sign};
use super::commands::{check_url, interrupted};
use super::control::{Control, Order, Ordered, Waiting};
use super::exit::{Exit, Failure, OrExit};
use super::policy::Policy;
use super::report::{Reporter, as_json, line, names, short};
use super::store::Store;
use super::wallets::{one, open_existing};
use super::{Driver, Settings, content, requests};
use crate::audit::Body;
use crate::frost::Suite;
use crate::group::Operation;
use crate::keystore::{Kind, WalletInfo};
use crate::node::{Command, Config, Deadlines, Event, Timestamp};
use crate::wire::PeerId;

/// How long `requests` waits for the members that are there to tell what is new, at most.
pub(super) const NEWS: Duration = Duration::from_secs(3);
/// How often a policy looks at what waits for a decision: limits of time end without anything else happening.
const LOOK: Duration = Duration::from_secs(20);

pub(super) async fn sign(args: Sign) -> Result<(), Failure> {
    let store = Arc::new(open_existing(&args.local)?);
    let wallet = one(&store, &args.wallet)?;
    if !wallet.confirmed {
        let text = "not every participant has confirmed this key: nothing is signed with it";
        return Err(Failure::new(Exit::Keystore, text));
    }
    let operation = content::operation(args.subjects, author(&wallet.info).as_ref())?;
    let fits = operation.check_signers(usize::from(wallet.info.threshold));
    fits.map_err(|error| Failure::new(Exit::Usage, error))?;
    let order = Order::Sign {
        pubkey: wallet.info.pubkey.clone(),
        kind: operation.kind().to_owned(),
        content: operation.written(),
        lifetime: args.expires,
    };
    carry_out(store, order, Some(&wallet.info), args.timeout, args.reach, args.local).await
}

pub(super) async fn decide(args: Decide, approves: bool) -> Result<(), Failure> {
    let request = args.id.to_ascii_lowercase();
    if request.len() < 4 || request.len() > 64 || !request.bytes().all(|b| b.is_ascii_hexdigit()) {
        let text = format!(
            "'{}' is no id of a request: give at least four of its hexadecimal digits",
            args.id
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    let store = Arc::new(open_existing(&args.local)?);
    if !args.local.json {
        requests::show_one(&store, &request, args.all_items);
    }
    carry_out(store, Order::Vote { request, approves }, None, args.timeout, args.reach, args.local)
        .await
}

pub(super) async fn check(
    pubkey: &str,
    timeout: u64,
    reach: Reach,
    local: Local,
) -> Result<(), Failure> {
    let store = Arc::new(open_existing(&local)?);
    let wallet = one(&store, pubkey)?;
    let order = Order::Check { pubkey: wallet.info.pubkey.clone() };
    carry_out(store, order, Some(&wallet.info), timeout, reach, local).await
}

/// Carries an order out: by the node that runs in this folder, or as one.
async fn carry_out(
    store: Arc<Store>,
    order: Order,
    wallet: Option<&WalletInfo>,
    timeout: u64,
    reach: Reach,
    local: Local,
) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(timeout);
    match Member::start(store.clone(), wallet, reach, &local)? {
        Some(mut member) => {
            let result = member.until_done(&order, end, timeout).await;
            member.finish().await;
            result
        }
        None => by_running_node(&store, &order, end, timeout, &local).await,
    }
}

/// Has the running node do it, and follows what happens.
async fn by_running_node(
    store: &Store,
    order: &Order,
    end: Instant,
    timeout: u64,
    local: &Local,
) -> Result<(), Failure> {
    let mut ordered = Ordered::from_running_node(store, order).await?;
    let reporter = Reporter::new(nobody()?, local.json, local.verbose);
    if let Order::Vote { .. } = order {
        if local.json {
            line(&json!({ "event": "decided", "request": ordered.awaits }));
        }
        reporter.say("done: the node that runs here goes on with it");
        return Ok(());
    }
    reporter.say("the node that runs here does it; waiting for the others");
    loop {
        let event = tokio::select! {
            event = ordered.next() => event.ok_or_else(|| Failure::new(Exit::Other, "the node that runs here has ended"))?,
            () = sleep_until(end) => return Err(out_of_time(&reporter, timeout)),
        };
        let ours = [&event["request"], &event["pubkey"]]
            .iter()
            .any(|v| v.as_str() == Some(&ordered.awaits));
        if local.json && ours {
            line(&event);
        }
        if let Some(result) = outcome(order, &ordered.awaits, &event, &reporter) {
            return result;
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

/// Whether an event is the end of an order, and how.
fn outcome(
    order: &Order,
    awaits: &str,
    event: &Value,
    reporter: &Reporter,
) -> Option<Result<(), Failure>> {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    match (order, text("event")) {
        (Order::Sign { .. } | Order::Vote { .. }, "signature") if text("request") == awaits => {
            let all = event["signatures"].as_array().into_iter().flatten();
            let all: Vec<&str> = all.filter_map(|one| one["signature"].as_str()).collect();
            reporter.results("signature", &all);
            Some(Ok(()))
        }
        (Order::Sign { .. }, "voted")
            if text("request") == awaits && text("state") == "declined" =>
        {
            let why = "so many members declined that it cannot be signed";
            reporter.aborted(None, why, None);
            Some(Err(Failure::told(Exit::Aborted)))
        }
        (Order::Check { .. }, "checked") if text("pubkey") == awaits => {
            let failed = event["failed"].as_array().is_some_and(|failed| !failed.is_empty());
            Some(if failed { Err(Failure::told(Exit::Other)) } else { Ok(()) })
        }
        _ => None,
    }
}

/// The x-only key of a wallet, if its signatures are those of BIP-340.
fn author(info: &WalletInfo) -> Option<[u8; 32]> {
    Suite::of_id(&info.ciphersuite)?.author(&hex::decode(&info.pubkey).ok()?)
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
            carrier: reach.carrier.into(),
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
        // Members who are there are to hear what was decided, even if their links had not stood yet.
        let end = Instant::now() + NEWS;
        while Instant::now() < end && !requests::all_told(&self.driver.view()) {
            let _ = tokio::time::timeout(Duration::from_millis(10), self.driver.next()).await;
        }
        self.driver.until_delivered().await;
        self.driver.finish().await;
    }

    /// Runs until an order is done, or its time is over.
    async fn until_done(
        &mut self,
        order: &Order,
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
                    if let (None, Order::Vote { request, .. }) = (&awaits, order) {
                        let text = format!("no member that is there knows a request {request}");
                        return Err(Failure::new(Exit::TimedOut, text));
                    }
                    return Err(out_of_time(&self.reporter, seconds));
                }
                () = &mut interrupted => return Err(Failure::new(Exit::Aborted, "stopped; what was asked for stands")),
            };
            // What others ask for meanwhile is news for 'requests', and would be taken for the answer here.
            if request_of(&event).is_none_or(|id| {
                awaits.as_deref().is_none_or(|ours| ours == id) && is_ours(order, id)
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
                && (!matches!(order, Order::Check { .. }) || self.members_are_linked(order));
            if awaits.is_none() && ready {
                awaits = self.obey(order).map_err(|text| Failure::new(Exit::Usage, text))?;
                if awaits.is_some() && matches!(order, Order::Vote { approves: false, .. }) {
                    return Ok(());
                }
                // It may have been signed before.
                let signatures = awaits.as_deref().map(|id| self.signatures_of(id));
                let signatures = signatures.unwrap_or_default();
                if !signatures.is_empty() {
                    let all: Vec<&str> = signatures.iter().map(String::as_str).collect();
                    self.reporter.results("signature", &all);
                    return Ok(());
                }
            }
            if let Some(awaits) = &awaits
                && let Some(result) = outcome(order, awaits, &as_json(&event), &self.reporter)
            {
                return result;
            }
        }
    }

    fn members_are_linked(&self, order: &Order) -> bool {
        let Order::Check { pubkey } = order else { return true };
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

    /// Gives the node an order. Returns what to wait for; `None` while the request is not known here.
    fn obey(&mut self, order: &Order) -> Result<Option<String>, String> {
        let failed = |error: crate::node::Error| error.to_string();
        match order {
            Order::Sign { pubkey, kind, content, lifetime } => {
                let wallet = one(&self.store, pubkey).map_err(|f| f.text.unwrap_or_default())?;
                let operation = Operation::read(kind, content, author(&wallet.info).as_ref());
                let operation = operation.map_err(|error| error.to_string())?;
                let command =
                    Command::Request { pubkey: pubkey.clone(), operation, lifetime: *lifetime };
                self.driver.command(command).map_err(failed)?;
                let group =
                    self.driver.view().groups.into_iter().find(|group| group.pubkey == *pubkey);
                Ok(group.and_then(|mut group| Some(group.requests.pop()?.id)))
            }
            Order::Vote { request, approves } => {
                let groups = self.driver.view().groups;
                let mut found =
                    groups.iter().flat_map(|c| &c.requests).filter(|r| r.id.starts_with(request));
                let Some(one) = found.next() else { return Ok(None) };
                if found.next().is_some() {
                    return Err(format!(
                        "{request} is the beginning of several requests: give more of it"
                    ));
                }
                let mut id = [0; 32];
                hex::decode_to_slice(&one.id, &mut id).map_err(|error| error.to_string())?;
                if one.signature.is_none() {
                    let command = Command::Vote { request: id, approves: *approves, rule: None };
                    self.driver.command(command).map_err(failed)?;
                }
                Ok(Some(one.id.clone()))
            }
            Order::Check { pubkey } => {
                self.driver.command(Command::Check { pubkey: pubkey.clone() }).map_err(failed)?;
                Ok(Some(pubkey.clone()))
            }
        }
    }

    // ---- unattended ----

    /// Stays connected until it is stopped.
    async fn serve(&mut self) -> Result<(), Failure> {
        let interrupted = interrupted();
        tokio::pin!(interrupted);
        let mut look = tokio::time::interval(LOOK);
        loop {
            let order = async {
                match &mut self.control {
                    Some(control) => control.orders.recv().await,
                    None => None,
                }
            };
            let event = tokio::select! {
                event = self.driver.next() => event,
                Some(waiting) = order => {
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
                control.tell(&as_json(&event));
            }
            match &event {
                Event::Registered { .. } => self.store.remember_server(&self.server),
                Event::ServerRefused { .. } => return Err(Failure::told(Exit::Other)),
                Event::Requested { .. } | Event::Voted { .. } => self.apply_policy(),
                _ => {}
            }
        }
    }

    /// Carries out what another command has ordered.
    fn answer(&mut self, (order, answer): Waiting) {
        let unknown =
            || "no such request is known here; 'frostmesh requests' lists them".to_owned();
        let result = self.obey(&order).and_then(|awaits| awaits.ok_or_else(unknown));
        let _ = answer.send(result); // who ordered may have gone
    }

    /// Decides what waits for a decision and is in the policy.
    fn apply_policy(&mut self) {
        for group in self.driver.view().groups {
            for request in group.requests.iter().filter(|request| request.needs_decision) {
                let Some((approves, rule)) =
                    self.policy.decide(&group.pubkey, request, requests::now())
                else {
                    continue;
                };
                let mut id = [0; 32];
                if hex::decode_to_slice(&request.id, &mut id).is_ok() {
                    let does = if approves { "approved" } else { "declined" };
                    let text =
                        format!("request {} is {does} by the rule '{rule}'", short(&request.id));
                    match self.driver.command(Command::Vote {
                        request: id,
                        approves,
                        rule: Some(rule),
                    }) {
                        Ok(()) => self.reporter.note("decision", &text),
                        Err(error) => self.reporter.note("decision_failed", &error.to_string()),
                    }
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

/// The request that an event is about, if it is.
fn request_of(event: &Event) -> Option<&str> {
    match event {
        Event::Requested { request, .. }
        | Event::Voted { request, .. }
        | Event::Signing { request, .. }
        | Event::SigningFailed { request, .. }
        | Event::Signature { request, .. } => Some(request),
        _ => None,
    }
}

/// Whether a request can be what an order is about, before that is known for sure.
fn is_ours(order: &Order, id: &str) -> bool {
    match order {
        Order::Vote { request, .. } => id.starts_with(request.as_str()),
        Order::Sign { .. } => true,
        Order::Check { .. } => false,
    }
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
