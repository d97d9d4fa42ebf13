//! What the driver stores for the node: identity, contacts, keys, audit logs and evidence, sealed
//! by the keystore, in IndexedDB.

use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;

use super::driver::{Driver, Report, State};
use super::store::Writing;
use crate::agreement::{Evidence, package_hash};
use crate::api::{Refusal, WalletStatus, WalletView};
use crate::audit::{Entry, Head};
use crate::frost::GroupKey;
use crate::identity::{Contacts, IdentityKey};
use crate::keystore::{Keystore, KeystoreError, Kind, WalletInfo, WalletRecord};
use crate::node::{Config, Input, Node, StoreRequest, StoredWallet};
use crate::random::SystemRng;
use crate::wire::SessionId;

impl Driver {
    /// Starts the node, now that the keystore is unlocked.
    pub(super) async fn unlocked(self: &Rc<Self>, keystore: Keystore) -> Result<(), Refusal> {
        let (identity, contacts) = self.people(&keystore).await?;
        let new = {
            let mut state = self.state.borrow_mut();
            state.exists = true;
            // Unlocked a second time: the node that exists goes on.
            let new = state.node.is_none();
            if new {
                state.node = Some(Node::new(Config::default(), identity, contacts, SystemRng));
                state.keystore = Some(Rc::new(keystore));
            }
            new
        };
        self.load_wallets().await.map_err(Refusal::storage)?;
        if new {
            self.use_wallets().await;
        }
        Ok(())
    }

    /// Passes the stored wallets with their audit logs to the node.
    async fn use_wallets(self: &Rc<Self>) {
        let Some(keystore) = self.state.borrow().keystore.clone() else { return };
        let active = |wallet: &WalletView| wallet.status == WalletStatus::Active;
        let wallets: Vec<String> = self
            .state
            .borrow()
            .wallets
            .iter()
            .filter(|w| active(w))
            .map(|w| w.info.pubkey.clone())
            .collect();
        for pubkey in wallets {
            match self.load_wallet(&keystore, &pubkey).await {
                Ok(wallet) => self.inbox.put(Report::Other(Input::OpenWallet(Box::new(wallet)))),
                Err(error) => self.complain(Err(error), "the audit trail of a wallet"),
            }
        }
    }

    /// Loads a wallet with its audit log.
    async fn load_wallet(&self, keystore: &Keystore, pubkey: &str) -> Result<StoredWallet, String> {
        let failed = |e: KeystoreError| e.to_string();
        let envelope =
            self.store.envelope(Kind::Wallet, pubkey).await?.ok_or("the wallet is gone")?;
        let record = keystore.open_record(Kind::Wallet, &envelope).map_err(failed)?;
        let mut trail = Vec::new();
        for envelope in self.store.trail(pubkey).await? {
            trail.push(keystore.open_record(Kind::Entry, &envelope).map_err(failed)?);
        }
        let head = match self.store.envelope(Kind::Head, pubkey).await? {
            Some(envelope) => Some(keystore.open_record(Kind::Head, &envelope).map_err(failed)?),
            None => None,
        };
        Ok(StoredWallet { record, trail, head })
    }

    /// Stores an entry of a wallet's audit log.
    pub(super) fn store_entry(
        self: &Rc<Self>,
        state: &mut State,
        pubkey: String,
        entry: Box<Entry>,
        head: Head,
    ) {
        let sealed = state.keystore.as_ref().ok_or("the keystore is locked".to_owned()).and_then(
            |keystore| {
                let seal = || {
                    let entry = keystore.seal_record(Kind::Entry, &entry, &mut SystemRng)?;
                    Ok((entry, keystore.seal_record(Kind::Head, &head, &mut SystemRng)?))
                };
                seal().map_err(|e: KeystoreError| e.to_string())
            },
        );
        let number = entry.number;
        state.writing.push_back(Writing { pubkey, number, sealed });
        if std::mem::replace(&mut state.is_writing, true) {
            return;
        }
        let driver = self.clone();
        // In order. After one that could not be stored none is: a log with a gap proves nothing.
        spawn_local(async move {
            let mut failed: Vec<(String, String)> = Vec::new();
            while let Some(Writing { pubkey, number, sealed }) = driver.next_to_write() {
                let before =
                    failed.iter().find(|(key, _)| *key == pubkey).map(|(_, error)| error.clone());
                let result = match (before, sealed) {
                    (Some(error), _) | (None, Err(error)) => Err(error),
                    (None, Ok((entry, head))) => {
                        driver.store.store_entry(&pubkey, number, &entry, &head).await
                    }
                };
                if let Err(error) = &result {
                    failed.push((pubkey.clone(), error.clone()));
                }
                driver.inbox.put(Report::Other(Input::EntryStored { pubkey, number, result }));
            }
        });
    }

    fn next_to_write(&self) -> Option<Writing> {
        let mut state = self.state.borrow_mut();
        let next = state.writing.pop_front();
        state.is_writing = next.is_some();
        next
    }

    /// Loads the identity of this node, which is made the first time, and its contacts.
    async fn people(&self, keystore: &Keystore) -> Result<(IdentityKey, Contacts), Refusal> {
        if self.store.only(Kind::Identity).await.map_err(Refusal::storage)?.is_none() {
            let envelope =
                keystore.seal_identity(&IdentityKey::generate(&mut SystemRng), &mut SystemRng)?;
            // Another call may have stored one meanwhile: then that one is used.
            let _ = self.store.create(Kind::Identity, &envelope).await;
        }
        let envelope = self.store.only(Kind::Identity).await.map_err(Refusal::storage)?;
        let identity = keystore
            .open_identity(&envelope.ok_or_else(|| Refusal::storage("the identity is gone"))?)?;
        let contacts = match self.store.only(Kind::Contacts).await.map_err(Refusal::storage)? {
            Some(envelope) => keystore.open_record(Kind::Contacts, &envelope)?,
            None => Contacts::default(),
        };
        Ok((identity, contacts))
    }

    /// Drops the keystore's key and ends everything that needs it.
    pub(super) fn lock(self: &Rc<Self>) {
        self.stop();
        let mut state = self.state.borrow_mut();
        state.keystore = None;
        state.wallets.clear();
        state.problems.clear();
    }

    async fn load_wallets(self: &Rc<Self>) -> Result<(), String> {
        let Some(keystore) = self.state.borrow().keystore.clone() else { return Ok(()) };
        let (mut wallets, mut problems) = (Vec::<WalletView>::new(), Vec::new());
        for (kind, status) in
            [(Kind::Wallet, WalletStatus::Active), (Kind::Unconfirmed, WalletStatus::Unconfirmed)]
        {
            for envelope in self.store.all(kind).await? {
                match keystore.open_record(kind, &envelope) {
                    Ok(WalletRecord { info, certificate, .. }) => {
                        // The oldest first. There are few: a map or a sort would take 7 KB of the
                        // module each.
                        let age = |info: &WalletInfo| (info.created, info.pubkey.clone());
                        let index = wallets.iter().position(|other| age(&other.info) > age(&info));
                        let wallet = WalletView { certified: certificate.is_some(), info, status };
                        wallets.insert(index.unwrap_or(wallets.len()), wallet);
                    }
                    Err(error) => problems.push(format!("a stored key cannot be opened: {error}")),
                }
            }
        }
        let mut state = self.state.borrow_mut();
        // The keystore may have been locked meanwhile.
        if state.keystore.is_some() {
            state.wallets = wallets;
            state.problems = problems;
            self.publish_soon(&mut state);
        }
        Ok(())
    }

    pub(super) fn store_key(
        self: &Rc<Self>,
        state: &State,
        session_id: SessionId,
        request: StoreRequest,
    ) {
        let (driver, keystore) = (self.clone(), state.keystore.clone());
        let made = if let StoreRequest::Confirm { pubkey, .. } = &request {
            Some(pubkey.clone())
        } else {
            None
        };
        spawn_local(async move {
            let result = match &keystore {
                Some(keystore) => driver.write(keystore, request).await,
                None => Err("the keystore is locked".to_owned()),
            };
            if result.is_ok() {
                let _ = driver.load_wallets().await; // shown again later; the key itself is kept
            }
            let made = made.filter(|_| result.is_ok());
            driver.inbox.put(Report::Other(Input::Stored { session_id, result }));
            if let (Some(pubkey), Some(keystore)) = (made, keystore)
                && let Ok(wallet) = driver.load_wallet(&keystore, &pubkey).await
            {
                driver.inbox.put(Report::Other(Input::OpenWallet(Box::new(wallet))));
            }
        });
    }

    async fn write(&self, keystore: &Keystore, request: StoreRequest) -> Result<(), String> {
        let failed = |e: KeystoreError| e.to_string();
        match request {
            StoreRequest::Unconfirmed(record) => {
                let envelope = keystore
                    .seal_record(Kind::Unconfirmed, &record, &mut SystemRng)
                    .map_err(failed)?;
                self.store.put(Kind::Unconfirmed, &record.info.pubkey, &envelope).await
            }
            StoreRequest::Confirm { pubkey, certificate } => {
                let envelope = self.store.envelope(Kind::Unconfirmed, &pubkey).await?;
                let envelope = envelope.ok_or("the unconfirmed key is gone")?;
                let opened: WalletRecord =
                    keystore.open_record(Kind::Unconfirmed, &envelope).map_err(failed)?;
                let record = WalletRecord { certificate, ..opened };
                let envelope =
                    keystore.seal_record(Kind::Wallet, &record, &mut SystemRng).map_err(failed)?;
                self.store.confirm(&pubkey, &envelope).await
            }
        }
    }

    pub(super) fn store_contacts(self: &Rc<Self>, state: &State, contacts: Contacts) {
        let Some(keystore) = state.keystore.clone() else { return };
        let envelope = keystore.seal_record(Kind::Contacts, &contacts, &mut SystemRng);
        let driver = self.clone();
        // Tasks start in this order, and transactions of one object store run in the order in which
        // they started: older contacts never replace newer ones.
        spawn_local(async move {
            let kept = match envelope {
                Ok(envelope) => driver.store.replace(Kind::Contacts, &envelope).await,
                Err(error) => Err(error.to_string()),
            };
            driver.complain(kept, "the contacts");
        });
    }

    pub(super) fn store_evidence(self: &Rc<Self>, state: &State, evidence: Box<Evidence>) {
        let Some(keystore) = state.keystore.clone() else { return };
        let driver = self.clone();
        spawn_local(async move {
            let text = serde_json::to_vec(&evidence).unwrap_or_default();
            let name = hex::encode(&package_hash(&text)[..8]);
            let kept = match keystore.seal(Kind::Evidence, &text, &mut SystemRng) {
                Ok(envelope) => driver.store.put(Kind::Evidence, &name, &envelope).await,
                Err(error) => Err(error.to_string()),
            };
            driver.complain(kept, "evidence");
        });
    }

    /// The group key of a wallet, if it is stored here and its ciphersuite is known.
    pub(super) fn group_key(&self, pubkey: &str) -> Option<GroupKey> {
        let state = self.state.borrow();
        let wallet = state.wallets.iter().find(|wallet| wallet.info.pubkey == pubkey)?;
        GroupKey::of(&wallet.info.ciphersuite, pubkey)
    }

    /// Shows what could not be stored, where no session depends on it.
    fn complain(self: &Rc<Self>, kept: Result<(), String>, what: &str) {
        if let Err(error) = kept {
            let mut state = self.state.borrow_mut();
            let text = format!("{what} could not be kept: {error}");
            if !state.problems.contains(&text) {
                state.problems.push(text);
            }
            self.publish_soon(&mut state);
        }
    }
}
