//! The keys in a store, as commands name them: by the beginning of the group key.

use super::exit::{Exit, Failure, OrExit};
use super::store::Store;
use crate::keystore::{Kind, WalletInfo};

/// A stored key, and whether all participants confirmed it.
pub(super) struct StoredKey {
    pub info: WalletInfo,
    pub confirmed: bool,
}

/// All stored keys. Files that cannot be opened are named on stderr.
pub(super) fn stored_keys(store: &Store) -> Result<Vec<StoredKey>, Failure> {
    let mut all = Vec::new();
    for (kind, confirmed) in [(Kind::Wallet, true), (Kind::Unconfirmed, false)] {
        let (found, broken) =
            store.list(kind).or_exit(Exit::Other, "the wallets cannot be read")?;
        broken.iter().for_each(|error| eprintln!("frostmesh: left out: {error}"));
        all.extend(found.into_iter().map(|info| StoredKey { info, confirmed }));
    }
    Ok(all)
}

/// The one key whose group key begins so.
pub(super) fn one(store: &Store, pubkey: &str) -> Result<StoredKey, Failure> {
    let wanted = pubkey.to_ascii_lowercase();
    let mut found: Vec<StoredKey> = stored_keys(store)?;
    found.retain(|e| e.info.pubkey.starts_with(&wanted));
    match (found.pop(), found.len()) {
        (Some(one), 0) if !wanted.is_empty() => Ok(one),
        (None, _) => {
            Err(Failure::new(Exit::Keystore, format_args!("there is no wallet {pubkey} here")))
        }
        (Some(_), others) => {
            let text =
                format!("{pubkey} is the beginning of {} wallets: give more of it", others + 1);
            Err(Failure::new(Exit::Keystore, text))
        }
    }
}
