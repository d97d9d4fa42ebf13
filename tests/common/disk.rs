//! What a seat keeps of its wallets: what is durable survives a crash, and nothing else does.

use std::collections::BTreeMap;

use frostmesh::audit::{Entry, Head};
use frostmesh::identity::{Contacts, IdentityKey};
use frostmesh::keystore::WalletRecord;
use frostmesh::node::{Command, Config, Input, Node, StoredWallet};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::world::{Happening, World};

/// A wallet on disk.
pub struct OnDisk {
    pub record: WalletRecord,
    pub trail: Vec<Entry>,
    pub head: Option<Head>,
}

/// By group key.
pub type Disk = BTreeMap<String, OnDisk>;

impl OnDisk {
    pub fn kept(&self) -> StoredWallet {
        StoredWallet { record: self.record.clone(), trail: self.trail.clone(), head: self.head }
    }
}

/// An entry on its way to the disk.
pub struct Writing {
    pub seat: usize,
    pub life: u32,
    pub pubkey: String,
    pub entry: Box<Entry>,
    pub head: Head,
}

impl World {
    /// The key is confirmed: it is a wallet now, and the node uses it.
    pub(super) fn made(&mut self, seat: usize, record: WalletRecord) {
        let wallet = OnDisk { record, trail: Vec::new(), head: None };
        let kept = Box::new(wallet.kept());
        self.seats[seat].disk.insert(wallet.record.info.pubkey.clone(), wallet);
        let _ = self.input(seat, Input::OpenWallet(kept));
    }

    /// Entries reach the disk in their order.
    pub(super) fn write_entry(
        &mut self,
        seat: usize,
        pubkey: String,
        entry: Box<Entry>,
        head: Head,
    ) {
        let at = (self.now + self.luck.between(self.weather.store))
            .max(self.seats[seat].disk_busy_until);
        self.seats[seat].disk_busy_until = at;
        let life = self.seats[seat].life;
        self.at(at, Happening::Written(Writing { seat, life, pubkey, entry, head }));
    }

    pub(super) fn written(&mut self, writing: Writing) {
        let Writing { seat, life, pubkey, entry, head } = writing;
        if life != self.seats[seat].life || !self.is_alive(seat) {
            return; // of a life that ended before
        }
        let number = entry.number;
        let result =
            if self.seats[seat].store_fails { Err("the disk is full".to_owned()) } else { Ok(()) };
        if result.is_ok() {
            let wallet = self.seats[seat].disk.get_mut(&pubkey).unwrap();
            assert_eq!(wallet.trail.len() as u64, number, "entries come in order");
            wallet.trail.push(*entry);
            // Between entry and head: a crash here must be told from a cut.
            if self.luck.percent(self.crash_between) {
                return self.crash(seat);
            }
            wallet_head(&mut self.seats[seat].disk, &pubkey, head);
        }
        let _ = self.input(seat, Input::EntryStored { pubkey, number, result });
    }

    /// A node that crashed starts again with what is on its disk.
    pub fn revive(&mut self, seat: usize) {
        if self.is_alive(seat) {
            return;
        }
        self.note(|| format!("** seat {seat} starts again"));
        let life = self.seats[seat].life + 1;
        let seed = self.seats[seat].seed;
        let identity: IdentityKey = Self::identity_of(seed);
        let rng = ChaCha20Rng::seed_from_u64(seed ^ (u64::from(life) << 32));
        let config = Config { trust_first_use: true, carrier: self.carrier, ..Config::default() };
        self.seats[seat].life = life;
        self.seats[seat].wake = None;
        self.seats[seat].disk_busy_until = 0;
        let mut node = Node::new(config, identity, Contacts::default(), rng);
        let life = u64::from(self.seats[seat].life);
        node.set_machine_order(super::world::machine_order(self.seats[seat].seed + life));
        self.seats[seat].node = Some(node);
        let wallets: Vec<StoredWallet> = self.seats[seat].disk.values().map(OnDisk::kept).collect();
        for wallet in wallets {
            let _ = self.input(seat, Input::OpenWallet(Box::new(wallet)));
        }
        let peer_id = self.seats[seat].id.clone();
        let _ = self.input(
            seat,
            Input::Command(Command::Connect { server_url: "ws://server".into(), peer_id }),
        );
    }
}

fn wallet_head(disk: &mut Disk, pubkey: &str, head: Head) {
    disk.get_mut(pubkey).unwrap().head = Some(head);
}
