//! What is kept of a wallet: the key of one participant, and what the group agreed on. Serialized only inside an envelope.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::wire::{PeerId, SessionId};

/// A wallet as it is sealed in an [`super::Keystore`] envelope.
#[derive(Clone, Serialize, Deserialize)]
pub struct WalletRecord {
    /// What may be shown.
    #[serde(flatten)]
    pub info: WalletInfo,
    /// `KeyPackage::serialize()`, which holds the signing share.
    #[serde(with = "secret_hex")]
    pub key_package: Zeroizing<Vec<u8>>,
    /// `PublicKeyPackage::serialize()`: the group's verifying key and every participant's verifying share.
    #[serde(with = "hex::serde")]
    pub public_key_package: Vec<u8>,
}

/// The part of a wallet that is no secret, but nobody else's business either: it stays sealed on disk too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletInfo {
    /// The group's verifying key, compressed, as hex.
    pub pubkey: String,
    /// The session that made it.
    pub session_id: SessionId,
    /// FROST ciphersuite id.
    pub ciphersuite: String,
    /// Signers needed.
    pub threshold: u16,
    /// Participants.
    pub total: u16,
    /// Everyone, sorted by bytes: the FROST identifier is the place in this list, from 1.
    pub participants: Vec<PeerId>,
    /// This node's FROST identifier.
    pub identifier: u16,
    /// Whether every participant was verified when the key was made (never, until links exist).
    pub verified: bool,
    /// When the key was made, in milliseconds since 1970.
    pub created: u64,
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
