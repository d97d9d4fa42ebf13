//! What is kept of a wallet: the key of one participant, and what the group agreed on. Serialized
//! only inside an envelope.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::agreement::Certificate;
use crate::frost::Identifier;
use crate::wire::{PeerId, SessionId};

/// A wallet as it is sealed in an [`super::Keystore`] envelope.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct WalletRecord {
    /// What may be shown.
    #[serde(flatten)]
    pub info: WalletInfo,
    /// `KeyPackage::serialize()`, which holds the signing share.
    #[serde(with = "secret_hex")]
    pub key_package: Zeroizing<Vec<u8>>,
    /// `PublicKeyPackage::serialize()`: the group's verifying key and every participant's verifying
    /// share.
    #[serde(with = "hex::serde")]
    pub public_key_package: Vec<u8>,
    /// How the key was made, once all have confirmed it and if all were verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Certificate>>,
}

/// The part of a wallet that is no secret, but nobody else's business either: it stays sealed on
/// disk too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct WalletInfo {
    /// The group's verifying key, compressed, as hex.
    pub pubkey: String,
    /// What the group calls it, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub name: Option<String>,
    /// The session that made it.
    pub session_id: SessionId,
    /// FROST ciphersuite id.
    pub ciphersuite: String,
    /// Signers needed.
    pub threshold: u16,
    /// Participants.
    pub total: u16,
    /// Everyone's name, ascending by identifier: the names of `roster`.
    pub participants: Vec<PeerId>,
    /// The members, and the FROST identifier of each.
    pub roster: WalletRoster,
    /// This node's FROST identifier.
    pub identifier: u16,
    /// Whether every participant was verified when the key was made, by safety words or an invite.
    pub verified: bool,
    /// When the key was made, in milliseconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub created: u64,
}

impl WalletInfo {
    /// What this node was called when the key was made.
    #[must_use]
    pub fn own_name(&self) -> Option<&PeerId> {
        self.roster.peer(self.identifier)
    }
}

/// One member of a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RosterEntry {
    /// Its FROST identifier.
    pub identifier: Identifier,
    /// Its name.
    pub peer_id: PeerId,
}

/// The members of a wallet, ascending by identifier, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct WalletRoster(Vec<RosterEntry>);

impl WalletRoster {
    /// The members of a new key: identifiers from 1, in this order.
    #[must_use]
    pub fn numbered(names: impl IntoIterator<Item = PeerId>) -> Self {
        let entry = |(identifier, peer_id)| RosterEntry { identifier, peer_id };
        Self((1..).zip(names).map(entry).collect())
    }

    /// The members with these identifiers. `None` unless they are ascending, each once, and none is
    /// 0.
    #[must_use]
    pub fn new(entries: Vec<RosterEntry>) -> Option<Self> {
        let ascending = entries.windows(2).all(|pair| pair[0].identifier < pair[1].identifier);
        let fits = ascending && entries.first().is_none_or(|first| first.identifier > 0);
        fits.then_some(Self(entries))
    }

    /// The members, ascending by identifier.
    pub fn iter(&self) -> std::slice::Iter<'_, RosterEntry> {
        self.0.iter()
    }

    /// The member with that identifier.
    #[must_use]
    pub fn peer(&self, identifier: Identifier) -> Option<&PeerId> {
        self.iter().find(|entry| entry.identifier == identifier).map(|entry| &entry.peer_id)
    }

    /// Everyone's name, ascending by identifier.
    #[must_use]
    pub fn names(&self) -> Vec<PeerId> {
        self.iter().map(|entry| entry.peer_id.clone()).collect()
    }
}

/// The fields of a [`WalletRecord`] as they are read. A flattened struct would be read by way of
/// values of any kind: they would leave copies of the share in memory that nothing wipes, and take
/// a second set of decoders into the wasm module.
#[derive(Deserialize)]
struct Stored {
    pubkey: String,
    name: Option<String>,
    session_id: SessionId,
    ciphersuite: String,
    threshold: u16,
    total: u16,
    participants: Vec<PeerId>,
    /// Missing in older records, whose identifiers are the positions of `participants`, from 1.
    roster: Option<Vec<RosterEntry>>,
    identifier: u16,
    verified: bool,
    created: u64,
    #[serde(with = "secret_hex")]
    key_package: Zeroizing<Vec<u8>>,
    #[serde(with = "hex::serde")]
    public_key_package: Vec<u8>,
    #[serde(default)]
    certificate: Option<Box<Certificate>>,
}

impl TryFrom<Stored> for WalletRecord {
    type Error = &'static str;

    fn try_from(s: Stored) -> Result<Self, &'static str> {
        let roster = match s.roster {
            Some(entries) => {
                WalletRoster::new(entries).ok_or("the identifiers are not ascending")?
            }
            None => WalletRoster::numbered(s.participants),
        };
        let info = WalletInfo {
            pubkey: s.pubkey,
            name: s.name,
            session_id: s.session_id,
            ciphersuite: s.ciphersuite,
            threshold: s.threshold,
            total: s.total,
            participants: roster.names(),
            roster,
            identifier: s.identifier,
            verified: s.verified,
            created: s.created,
        };
        let (key_package, public_key_package) = (s.key_package, s.public_key_package);
        Ok(Self { info, key_package, public_key_package, certificate: s.certificate })
    }
}

/// Says which wallet it is, and nothing of its key.
impl std::fmt::Debug for WalletRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WalletRecord").field("info", &self.info).finish_non_exhaustive()
    }
}

mod secret_hex {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub fn serialize<S: Serializer>(bytes: &Zeroizing<Vec<u8>>, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&Zeroizing::new(hex::encode(bytes.as_slice())))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Zeroizing<Vec<u8>>, D::Error> {
        let text = Zeroizing::<String>::deserialize(d)?;
        hex::decode(text.as_bytes()).map(Zeroizing::new).map_err(serde::de::Error::custom)
    }
}
