//! Invites: a URI with everything that a guest needs to join one session (docs/PROTOCOL.md, section
//! 3, point 2, and section 4, "Invite").

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::Identity;
use crate::wire::{MAX_PARTICIPANTS, PeerId, SessionId, clip};

/// The scheme of the URI. The fields follow behind it, or behind the `#` of a page's address.
const SCHEME: &str = "frostmesh:";
/// Longest invite that is read, in bytes.
const MAX_INVITE: usize = 2048;
/// Everything but the unreserved characters of RFC 3986, section 2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Longest name of a wallet, in bytes.
const MAX_NAME: usize = 64;

/// The secret of an invite: 128 bits, mixed into the handshake of every secure channel of its
/// session.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteSecret(Zeroizing<[u8; 16]>);

/// Hides the secret.
impl fmt::Debug for InviteSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteSecret")
    }
}

impl InviteSecret {
    /// A fresh secret.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut secret = Zeroizing::new([0; 16]);
        rng.fill_bytes(secret.as_mut_slice());
        Self(secret)
    }

    /// The pre-shared key of the session's handshakes.
    #[must_use]
    pub fn psk(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(super::tagged_hash("frostmesh/invite", &[self.0.as_slice()]))
    }
}

/// The text of an invite. Secret: anyone who has it can join the session.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct InviteUri(Zeroizing<String>);

impl InviteUri {
    /// The URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the text.
impl fmt::Debug for InviteUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteUri")
    }
}

/// An invitation to a session. Anyone who has it can join, until the session is full or the invite
/// has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The signaling server.
    pub server_url: String,
    /// The session.
    pub session_id: SessionId,
    /// The host's peer id at that server.
    pub initiator: PeerId,
    /// The host's identity.
    pub identity: Identity,
    /// The secret that proves a guest's right to join.
    pub secret: InviteSecret,
    /// Participants, 2 to 64.
    pub total: u16,
    /// Signers needed, 2 to `total`.
    pub threshold: u16,
    /// When it expires, in seconds since 1970.
    pub expires: u64,
    /// The name of the wallet to be made.
    pub name: Option<String>,
}

/// Why a text is no invite.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// The text does not look like an invite.
    #[error("that is no frostmesh invite: one begins with '{SCHEME}', or is a link with '#' in it")]
    NotAnInvite,
    /// A field is missing or wrong.
    #[error(
        "the invite is damaged: '{0}' is missing or wrong; ask for it again, and copy all of it"
    )]
    Field(&'static str),
}

impl Invite {
    /// The form of a wallet's name that all participants use: without control characters, at most
    /// 64 bytes. `None` if nothing is left.
    #[must_use]
    pub fn clean_name(name: &str) -> Option<String> {
        let mut name = clip(name.trim());
        name.truncate(name.floor_char_boundary(MAX_NAME));
        (!name.is_empty()).then_some(name)
    }

    /// Whether it has expired at the time `now`, in milliseconds since 1970.
    #[must_use]
    pub fn has_expired(&self, now: u64) -> bool {
        now / 1000 >= self.expires
    }

    /// The fields as text, to follow `frostmesh:` or the `#` of a page's address.
    #[must_use]
    pub fn fields(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(512));
        let secret = Zeroizing::new(hex::encode(self.secret.0.as_slice()));
        let (total, threshold, expires) =
            (self.total.to_string(), self.threshold.to_string(), self.expires.to_string());
        let identity = self.identity.to_string();
        let fields = [
            ("server", self.server_url.as_str()),
            ("session", self.session_id.as_str()),
            ("peer", self.initiator.as_str()),
            ("identity", &identity),
            ("secret", &secret),
            ("total", &total),
            ("threshold", &threshold),
            ("expires", &expires),
            ("name", self.name.as_deref().unwrap_or_default()),
        ];
        for (name, value) in fields {
            if !value.is_empty() {
                if !text.is_empty() {
                    text.push('&');
                }
                text.push_str(name);
                text.push('=');
                text.extend(utf8_percent_encode(value, ESCAPED));
            }
        }
        text
    }

    /// The URI.
    #[must_use]
    pub fn uri(&self) -> InviteUri {
        InviteUri(Zeroizing::new(format!("{SCHEME}{}", self.fields().as_str())))
    }
}

impl FromStr for Invite {
    type Err = InviteError;

    /// Reads a URI, or a page's address with the fields behind its `#`.
    fn from_str(text: &str) -> Result<Self, InviteError> {
        let text = text.trim();
        if text.len() > MAX_INVITE {
            return Err(InviteError::NotAnInvite);
        }
        let fields =
            text.strip_prefix(SCHEME).or_else(|| text.split_once('#').map(|(_, fields)| fields));
        let fields = fields.ok_or(InviteError::NotAnInvite)?;
        let field = |name: &'static str| {
            let mut found = fields
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .filter(|(key, _)| *key == name);
            let value = found.next().filter(|_| found.next().is_none()).map(|(_, value)| value);
            let value = value.and_then(|value| percent_decode_str(value).decode_utf8().ok());
            value.map(|value| Zeroizing::new(value.into_owned())).ok_or(InviteError::Field(name))
        };
        let server_url = field("server")?.to_string();
        if !(server_url.starts_with("ws://") || server_url.starts_with("wss://")) {
            return Err(InviteError::Field("server"));
        }
        let mut secret = Zeroizing::new([0; 16]);
        hex::decode_to_slice(field("secret")?.as_bytes(), secret.as_mut_slice())
            .map_err(|_| InviteError::Field("secret"))?;
        let total = field("total")?
            .parse()
            .ok()
            .filter(|total| (2..=MAX_PARTICIPANTS).contains(&usize::from(*total)));
        let total = total.ok_or(InviteError::Field("total"))?;
        let threshold =
            field("threshold")?.parse().ok().filter(|threshold| (2..=total).contains(threshold));
        Ok(Self {
            server_url,
            session_id: field("session")?.parse().map_err(|_| InviteError::Field("session"))?,
            initiator: field("peer")?.parse().map_err(|_| InviteError::Field("peer"))?,
            identity: field("identity")?.parse().map_err(|_| InviteError::Field("identity"))?,
            secret: InviteSecret(secret),
            total,
            threshold: threshold.ok_or(InviteError::Field("threshold"))?,
            expires: field("expires")?.parse().map_err(|_| InviteError::Field("expires"))?,
            name: field("name").ok().and_then(|name| Self::clean_name(&name)),
        })
    }
}
