//! The `proof` that the messages of a verified session carry beside the baseline's fields
//! (docs/PROTOCOL.md, section 4, "A verified session").

use serde::{Deserialize, Serialize};

use super::MAX_PARTICIPANTS;

/// The `proof` of a message. Its type decides which fields are present; bytes are hex text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Proof {
    /// `mesh_ready`: the hash of the agreement, 32 bytes.
    #[serde(default, with = "bytes", skip_serializing_if = "Option::is_none")]
    pub agreement: Option<[u8; 32]>,
    /// `mesh_ready`: the hash of the sender's nonce, 32 bytes.
    #[serde(default, with = "bytes", skip_serializing_if = "Option::is_none")]
    pub nonce_hash: Option<[u8; 32]>,
    /// `commitment`: the sender's nonce, 32 bytes.
    #[serde(default, with = "bytes", skip_serializing_if = "Option::is_none")]
    pub nonce: Option<[u8; 32]>,
    /// `ready`: the statement of each participant about its round-1 package, in the order of
    /// identifiers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Statement>,
    /// The sender's signature, 64 bytes. What it signs depends on the message.
    #[serde(default, with = "bytes", skip_serializing_if = "Option::is_none")]
    pub signature: Option<[u8; 64]>,
}

impl Proof {
    /// Whether it has at most as many statements as a session has participants.
    pub(super) fn is_bounded(&self) -> bool {
        self.statements.len() <= MAX_PARTICIPANTS
    }
}

/// The statement of one participant about its round-1 package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Its nonce.
    #[serde(with = "hex::serde")]
    pub nonce: [u8; 32],
    /// SHA-256 of its round-1 package.
    #[serde(with = "hex::serde")]
    pub package: [u8; 32],
    /// Its signature of both, bound to the agreement.
    #[serde(with = "hex::serde")]
    pub signature: [u8; 64],
}

/// Optional bytes of a fixed length as hex text.
mod bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::ref_option)] // the signature is serde's
    pub fn serialize<S: Serializer, const N: usize>(
        value: &Option<[u8; N]>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(bytes) => s.serialize_str(&hex::encode(bytes)),
            None => s.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        d: D,
    ) -> Result<Option<[u8; N]>, D::Error> {
        let Some(text) = Option::<String>::deserialize(d)? else { return Ok(None) };
        let mut bytes = [0; N];
        hex::decode_to_slice(text.as_bytes(), &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Some(bytes))
    }
}
