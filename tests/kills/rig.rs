//! Alice is a process; bob, who asks and coordinates, is the test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use frostmesh::audit::Body;
use frostmesh::content::{Content, Text};
use frostmesh::frost::{Identifier, Nonces, Suite};
use frostmesh::group::{
    CeremonyId, GROUP_VERSION, GroupMessage, InventoryItem, Operation, Outcome, Request, RequestId,
    Vote, group_id,
};
use frostmesh::identity::Digest;
use frostmesh::keystore::Kind;
use frostmesh::native::Store;
use frostmesh::wire::{PeerId, PeerMessage, RelayData, ServerMessage};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, PATIENCE, Running, in_time};
use crate::node::{Node, PASSWORD, program};
use crate::other::{Other, commitments_in, package, share_in};

/// What was seen on the wire.
#[derive(Default)]
pub struct Seen {
    /// The commitments of each ceremony, which is named once.
    committed: BTreeMap<CeremonyId, Vec<u8>>,
    all: BTreeSet<Vec<u8>>,
    /// The ceremonies that a share was given for.
    shared: BTreeSet<CeremonyId>,
}

impl Seen {
    pub fn commitments(&self) -> usize {
        self.all.len()
    }

    pub fn shares(&self) -> usize {
        self.shared.len()
    }

    fn note(&mut self, message: &GroupMessage) {
        if let Some((ceremony, data)) = commitments_in(message) {
            assert!(self.all.insert(data.clone()), "commitments come once");
            assert!(self.committed.insert(ceremony, data).is_none(), "and one for each ceremony");
        }
        if let Some((ceremony, _)) = share_in(message) {
            assert!(self.committed.contains_key(&ceremony), "a share follows its commitments");
            assert!(self.shared.insert(ceremony), "two shares for one nonce");
        }
    }
}

/// A request of bob's.
pub struct Asked {
    id: RequestId,
    request: Request,
    vote: Vote,
    digest: [u8; 32],
}

pub struct Rig {
    pub node: Node,
    alice: PeerId,
    identifier: Identifier,
    store: Store,
    pubkey: String,
    group_id: Digest,
    suite: Suite,
    bob: Other,
    client: Client,
    past: Vec<RequestId>,
    rng: ChaCha20Rng,
    _server: Running,
    _folder: tempfile::TempDir,
}

impl Rig {
    /// Makes a 2-of-2 key of alice and bob with the program, and starts alice's node.
    pub async fn start(seed: u64) -> Self {
        let server = Running::start().await;
        let url = format!("ws://{}", server.address);
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        let identifier = |name| {
            ["--server", &url, "--peer-id", name, "--trust-first-use", "--carrier", "relay"]
                .map(str::to_owned)
        };
        let (mut made, mut watching) = (Vec::new(), server.peer("watching").await);
        for (name, command, more) in [
            ("alice", "join", &[][..]),
            ("bob", "create", &["--participants", "alice,bob", "--threshold", "2"]),
        ] {
            let identifier = identifier(name);
            let arguments = [command]
                .into_iter()
                .chain(identifier.iter().map(String::as_str))
                .chain(more.iter().copied());
            let mut program = program(&of(name), &arguments.collect::<Vec<_>>());
            made.push(program.spawn().unwrap());
            if name == "alice" {
                // She takes part in what is proposed while she is there.
                in_time("alice", async {
                    while !watching.list().await.iter().any(|peer| peer == name) {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                })
                .await;
            }
        }
        for child in made {
            let output =
                tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
            assert!(output.status.success(), "the key is made");
        }
        let store = Store::open(&of("bob"), PASSWORD).unwrap();
        let pubkey = store.list(Kind::Wallet).unwrap().0[0].pubkey.clone();
        let record = store.load_wallet(&pubkey).unwrap().record;
        let suite = Suite::of_id(&record.info.ciphersuite).unwrap();
        let bound = group_id(&record.certificate.as_ref().unwrap().agreement, &pubkey);
        let share = suite.key(&record.key_package, &record.public_key_package).unwrap();
        let me = record.info.identifier;
        let links = hex::encode(bound).parse().unwrap();
        let bob = Other::new("bob".parse().unwrap(), me, store.identity().unwrap(), share, links);
        let policy = of("policy.toml");
        std::fs::write(&policy, "[[rule]]\nname = \"all\"\ndecision = \"approve\"\n").unwrap();
        let client = server.peer_when_free("bob").await;
        let arguments =
            ["node", "--server", &url, "--carrier", "relay", "--policy", policy.to_str().unwrap()];
        let mut this = Self {
            node: Node::start(&of("alice"), &pubkey, &arguments),
            alice: "alice".parse().unwrap(),
            identifier: 3 - me,
            store: Store::open(&of("alice"), PASSWORD).unwrap(),
            pubkey,
            group_id: bound,
            suite,
            bob,
            client,
            past: Vec::new(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            _server: server,
            _folder: folder,
        };
        this.linked().await;
        this
    }

    pub async fn restart(&mut self) {
        self.bob.unlink();
        self.node.restart();
        self.linked().await;
    }

    /// Waits until alice has a link to bob.
    async fn linked(&mut self) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !self.bob.is_linked() {
            assert!(tokio::time::Instant::now() < end, "alice links to bob");
            let _ = self.hear(Duration::from_secs(1)).await;
        }
    }

    async fn relay(&mut self, messages: Vec<PeerMessage>) {
        for message in messages {
            let data = RelayData::Peer(message, None).to_raw();
            self.client.relay(self.alice.as_str(), data.get()).await;
        }
    }

    pub async fn say(&mut self, message: &GroupMessage) {
        let messages = self.bob.say(message);
        self.relay(messages).await;
    }

    /// What alice says next within the link, if anything comes.
    async fn hear(&mut self, patience: Duration) -> Option<Vec<GroupMessage>> {
        let message = tokio::time::timeout(patience, self.client.message()).await.ok()?;
        let ServerMessage::Relay { from, data } = message else { return Some(Vec::new()) };
        let Ok((message, _)) = PeerMessage::parse(data.get()) else { return Some(Vec::new()) };
        let (answers, said) = self.bob.take(&from, message, &mut self.rng);
        self.relay(answers).await;
        Some(said)
    }

    /// The first thing that she says of that kind. `None` when nothing comes any more.
    async fn await_one<T>(
        &mut self,
        seen: &mut Seen,
        patience: Duration,
        mut wanted: impl FnMut(GroupMessage) -> Option<T>,
    ) -> Option<T> {
        loop {
            let said = self.hear(patience).await?;
            said.iter().for_each(|message| seen.note(message));
            if let Some(found) = said.into_iter().find_map(&mut wanted) {
                return Some(found);
            }
        }
    }

    /// Takes what left before the end.
    pub async fn drain(&mut self, seen: &mut Seen) {
        while self.await_one(seen, Duration::from_millis(50), |_| None::<()>).await.is_some() {}
    }

    /// Asks for something, and approves it.
    pub async fn ask(&mut self, text: &str) -> Asked {
        let content = Content::from(Text::new(text.to_owned()).unwrap());
        let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis())
            .unwrap();
        let mut nonce = [0; 16];
        self.rng.fill_bytes(&mut nonce);
        let operation = Operation::sign(content.clone()).unwrap();
        let request = self.bob.request(&self.group_id, &operation, now, nonce, &mut self.rng);
        let id = request.id(&self.group_id);
        let vote = Vote::new(
            &self.group_id,
            id,
            self.bob.identifier,
            1,
            true,
            &self.bob.key,
            &mut self.rng,
        );
        Asked { id, request, vote, digest: content.digest() }
    }

    /// Tells alice of a request; she tells what bob lacks of it, should she know it.
    pub async fn tell(&mut self, asked: &Asked) {
        let over = |request: &RequestId| InventoryItem {
            request: *request,
            votes: vec![u32::MAX; 2],
            signed: true,
        };
        let holdings = self.past.iter().rev().take(100).map(over).collect();
        let inventory = GroupMessage::Inventory { version: GROUP_VERSION, items: holdings };
        self.say(&inventory).await;
        self.say(&GroupMessage::Request(Box::new(asked.request.clone()))).await;
        self.say(&GroupMessage::Vote(asked.vote)).await;
    }

    /// Goes through both rounds until alice is killed. Returns the last thing that bob asked her a
    /// share for.
    pub async fn sign(&mut self, asked: &Asked, seen: &mut Seen) -> Option<GroupMessage> {
        const GONE: Duration = Duration::from_millis(400);
        self.tell(asked).await;
        self.approval(asked, seen, GONE).await?;
        let (ceremony, commitments, _) = self.commitments(asked, seen, GONE).await?;
        let package = package(ceremony, commitments.values().cloned().collect());
        self.say(&package).await;
        Some(package)
    }

    async fn approval(&mut self, asked: &Asked, seen: &mut Seen, patience: Duration) -> Option<()> {
        let approves = |m| {
            matches!(m, GroupMessage::Vote(v) if v.request == asked.id && v.approves).then_some(())
        };
        self.await_one(seen, patience, approves).await
    }

    async fn commitments(
        &mut self,
        asked: &Asked,
        seen: &mut Seen,
        patience: Duration,
    ) -> Option<(CeremonyId, BTreeMap<Identifier, Vec<u8>>, Nonces)> {
        let mut ceremony: CeremonyId = [0; 16];
        self.rng.fill_bytes(&mut ceremony);
        let (request, votes) = (Some(asked.id), vec![asked.vote]);
        self.say(&GroupMessage::Start { ceremony, request, signers: vec![1, 2], votes }).await;
        let hers = |m: GroupMessage| match m {
            GroupMessage::Refused { ceremony: of, reason } if of == ceremony => {
                panic!("alice refuses: {reason}")
            }
            message => commitments_in(&message).filter(|(of, _)| *of == ceremony),
        };
        let (_, hers) = self.await_one(seen, patience, hers).await?;
        let (nonces, ours) = self.bob.share.commit(&mut self.rng).unwrap();
        Some((ceremony, [(self.identifier, hers), (self.bob.identifier, ours)].into(), nonces))
    }

    /// Goes through both rounds with an alice that nobody kills.
    pub async fn signed(&mut self, asked: &Asked, seen: &mut Seen) {
        self.approval(asked, seen, PATIENCE).await.expect("alice approves");
        let (ceremony, commitments, nonces) =
            self.commitments(asked, seen, PATIENCE).await.expect("alice commits");
        let list = commitments.values().cloned().collect();
        self.say(&package(ceremony, list)).await;
        let ours = self.bob.share.sign(nonces, &commitments, &asked.digest).unwrap();
        let hers = |m: GroupMessage| share_in(&m).filter(|(of, _)| *of == ceremony);
        let given = self.await_one(seen, PATIENCE, hers).await;
        let (_, hers) = given.expect("alice gives her share");
        let shares = [(self.identifier, hers), (self.bob.identifier, ours)].into();
        let data = self.bob.share.aggregate(&commitments, &shares, &asked.digest).unwrap();
        self.suite.verify(&hex::decode(&self.pubkey).unwrap(), &asked.digest, &data).unwrap();
        let outcome = Outcome::Signatures(vec![data]);
        let message =
            GroupMessage::Outcome { request: Some(asked.id), outcome, signers: vec![1, 2] };
        self.say(&message).await;
        self.past.push(asked.id);
    }

    /// What the last entry on alice's disk tells.
    pub fn last_kept(&self) -> String {
        let (entries, _) = self.store.trail(&self.pubkey).unwrap();
        let body = entries.last().unwrap().read().unwrap();
        let name = format!("{body:?}");
        name.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
    }

    /// Each share that was seen is told of by alice's trail.
    pub fn every_share_is_on_record(&self, seen: &Seen) {
        let (entries, _) = self.store.trail(&self.pubkey).unwrap();
        let committed = entries.iter().filter_map(|entry| match entry.read().unwrap() {
            Body::Commit { request: Some(_), commitments, .. } => Some(commitments),
            _ => None,
        });
        let on_disk: Vec<Digest> = committed.collect();
        let different: BTreeSet<&Digest> = on_disk.iter().collect();
        assert_eq!(different.len(), on_disk.len(), "the trail tells of two shares for one nonce");
        for ceremony in &seen.shared {
            let hash: Digest = Sha256::digest(&seen.committed[ceremony]).into();
            assert!(different.contains(&hash), "the trail has to tell of a share before it leaves");
        }
    }
}
