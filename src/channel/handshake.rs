//! The handshake of a secure channel: `Noise_XX_25519_ChaChaPoly_SHA256`, or with the secret of an
//! invite `Noise_XXpsk0_25519_ChaChaPoly_SHA256` (Noise specification, revision 34, sections 7 and
//! 9).
//!
//! ```text
//! hello   1  ->  e
//! answer  2  <-  e, ee, s, es   payload: identity, signature
//! proof   3  ->  s, se          payload: identity, signature
//! ```
//!
//! The prologue binds protocol version, session and both peer ids. Each end signs its Noise static
//! key and the transcript so far with its identity key, so that the signer and the other end of
//! this handshake are the same node. Each message stands behind a byte with its number.

use rand_core::{CryptoRng, RngCore};
use sha2::{Digest as _, Sha256};
use snow::params::{
    BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifier, HandshakeModifierList,
    HandshakePattern, HashChoice, NoiseParams,
};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};
use zeroize::Zeroizing;

use super::Frames;
use crate::identity::{Digest, Identity, IdentityKey, Signature, tagged_hash};
use crate::wire::{PROTOCOL_VERSION, PeerId, SessionId};

/// Size of an identity and its signature, in bytes.
const PAYLOAD: usize = 32 + 64;
/// Largest handshake message, in bytes: its number, two keys, two tags and a payload.
const MAX_HANDSHAKE: usize = 1 + 32 + 48 + PAYLOAD + 16;

/// What both ends know before the handshake. It fails if they differ in any of it.
#[derive(Clone)]
pub struct Context {
    /// The session.
    pub session_id: SessionId,
    /// The sender of the hello.
    pub initiator: PeerId,
    /// The sender of the answer.
    pub responder: PeerId,
    /// The pre-shared key of the session's invite, where there is one.
    pub psk: Option<Zeroizing<[u8; 32]>>,
}

impl Context {
    fn prologue(&self) -> Digest {
        let version = PROTOCOL_VERSION.to_be_bytes();
        let (initiator, responder) =
            (self.initiator.as_str().as_bytes(), self.responder.as_str().as_bytes());
        tagged_hash(
            "frostmesh/prologue",
            &[&version, self.session_id.as_str().as_bytes(), initiator, responder],
        )
    }

    fn params(&self) -> NoiseParams {
        let (name, list) = match self.psk {
            None => ("Noise_XX_25519_ChaChaPoly_SHA256", Vec::new()),
            Some(_) => ("Noise_XXpsk0_25519_ChaChaPoly_SHA256", vec![HandshakeModifier::Psk(0)]),
        };
        let modifiers = HandshakeModifierList { list };
        let handshake = HandshakeChoice { pattern: HandshakePattern::XX, modifiers };
        let (dh, cipher, hash) =
            (DHChoice::Curve25519, CipherChoice::ChaChaPoly, HashChoice::SHA256);
        NoiseParams::new(name.to_owned(), BaseChoice::Noise, handshake, dh, cipher, hash)
    }
}

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The message does not decrypt: it was cut or changed on the way, belongs to another session
    /// or peer, or was made without the secret of the invite.
    #[error("a handshake message was changed on the way, or was made without the invite")]
    Noise,
    /// Another message of the handshake was expected.
    #[error("a handshake message came out of turn")]
    Turn,
    /// The other end did not sign this handshake with the identity that it names.
    #[error("it did not prove the identity that it claims")]
    Identity,
}

/// The messages of a handshake. The first byte of each is its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeMessage {
    /// The initiator's first message.
    Hello = 1,
    /// The responder's message.
    Answer = 2,
    /// The initiator's second message.
    Proof = 3,
}

impl HandshakeMessage {
    /// Which of the three `message` is, by its first byte. `None` for any other.
    #[must_use]
    pub fn of(message: &[u8]) -> Option<Self> {
        match message.first()? {
            1 => Some(Self::Hello),
            2 => Some(Self::Answer),
            3 => Some(Self::Proof),
            _ => None,
        }
    }
}

/// A complete handshake: the proven identity of the other end, and the frames to exchange with it.
pub struct Opened {
    /// The identity of the other end, which it has proven.
    pub identity: Identity,
    /// Seals and opens the messages of the secure channel.
    pub frames: Frames,
}

/// A handshake under way.
pub struct Handshake {
    noise: HandshakeState,
    static_key: Vec<u8>,
}

impl Handshake {
    /// The initiator begins a handshake. Also returns the hello.
    ///
    /// # Errors
    /// [`HandshakeError::Noise`], which no input causes.
    pub fn start(
        context: &Context,
        key: &IdentityKey,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let mut handshake = Self::new(context, key, true, rng)?;
        let hello = handshake.write(HandshakeMessage::Hello, &[])?;
        Ok((handshake, hello))
    }

    /// The responder receives the hello. Also returns the answer.
    ///
    /// # Errors
    /// [`HandshakeError`]: nothing is to be sent then.
    pub fn answer(
        context: &Context,
        key: &IdentityKey,
        hello: &[u8],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let mut handshake = Self::new(context, key, false, rng)?;
        handshake.read(HandshakeMessage::Hello, hello)?;
        let answer = handshake.write_identity(HandshakeMessage::Answer, key, rng)?;
        Ok((handshake, answer))
    }

    /// The initiator receives the answer. Returns the proof and the open channel:
    /// [`Handshake::receive`] and [`Handshake::prove_to`] in one.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn prove(
        mut self,
        key: &IdentityKey,
        answer: &[u8],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Vec<u8>, Opened), HandshakeError> {
        let identity = self.receive(HandshakeMessage::Answer, answer)?;
        self.prove_to(identity, key, rng)
    }

    /// Receives the `expected` answer or proof. Returns the identity of its sender.
    /// [`HandshakeError::Noise`] and [`HandshakeError::Turn`] leave the handshake as it was, so
    /// that another message may be the right one.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn receive(
        &mut self,
        expected: HandshakeMessage,
        message: &[u8],
    ) -> Result<Identity, HandshakeError> {
        let transcript = self.noise.get_handshake_hash().to_vec();
        let payload = self.read(expected, message)?;
        let (identity, signature) = payload.split_at_checked(32).ok_or(HandshakeError::Identity)?;
        let identity = Identity::from_bytes(identity).ok_or(HandshakeError::Identity)?;
        let signature = signature.try_into().map_err(|_| HandshakeError::Identity)?;
        let remote_static = self.noise.get_remote_static().ok_or(HandshakeError::Identity)?;
        let digest = signed_digest(&transcript, remote_static);
        let proven = identity.has_signed(&digest, &Signature::from_bytes(signature));
        if proven { Ok(identity) } else { Err(HandshakeError::Identity) }
    }

    /// The initiator, after it received the answer. Returns the proof and the open channel.
    ///
    /// # Errors
    /// [`HandshakeError`]: the answer was not received.
    pub fn prove_to(
        mut self,
        identity: Identity,
        key: &IdentityKey,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Vec<u8>, Opened), HandshakeError> {
        let proof = self.write_identity(HandshakeMessage::Proof, key, rng)?;
        Ok((proof, Opened { identity, frames: self.into_frames()? }))
    }

    /// The responder receives the proof. Returns the open channel: [`Handshake::receive`] and
    /// [`Handshake::open_to`] in one.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn finish(mut self, proof: &[u8]) -> Result<Opened, HandshakeError> {
        let identity = self.receive(HandshakeMessage::Proof, proof)?;
        self.open_to(identity)
    }

    /// The responder, after it received the proof. Returns the open channel.
    ///
    /// # Errors
    /// [`HandshakeError`]: the proof was not received.
    pub fn open_to(self, identity: Identity) -> Result<Opened, HandshakeError> {
        Ok(Opened { identity, frames: self.into_frames()? })
    }

    fn new(
        context: &Context,
        key: &IdentityKey,
        initiator: bool,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, HandshakeError> {
        let secret = key.noise_secret();
        let mut dh =
            DefaultResolver.resolve_dh(&DHChoice::Curve25519).ok_or(HandshakeError::Noise)?;
        dh.set(secret.as_slice());
        let mut ephemeral = Zeroizing::new([0; 32]);
        rng.fill_bytes(ephemeral.as_mut_slice());
        let prologue = context.prologue();
        let build = || {
            let resolver = Box::new(Resolver(ephemeral));
            let mut builder = Builder::with_resolver(context.params(), resolver)
                .local_private_key(secret.as_slice())?
                .prologue(&prologue)?;
            if let Some(psk) = &context.psk {
                builder = builder.psk(0, psk)?;
            }
            if initiator { builder.build_initiator() } else { builder.build_responder() }
        };
        let noise = build().map_err(|_: snow::Error| HandshakeError::Noise)?;
        Ok(Self { noise, static_key: dh.pubkey().to_vec() })
    }

    fn write(
        &mut self,
        number: HandshakeMessage,
        payload: &[u8],
    ) -> Result<Vec<u8>, HandshakeError> {
        let mut message = vec![0; MAX_HANDSHAKE];
        message[0] = number as u8;
        let written = self
            .noise
            .write_message(payload, &mut message[1..])
            .map_err(|_| HandshakeError::Noise)?;
        message.truncate(1 + written);
        Ok(message)
    }

    fn read(
        &mut self,
        expected: HandshakeMessage,
        message: &[u8],
    ) -> Result<Vec<u8>, HandshakeError> {
        if HandshakeMessage::of(message) != Some(expected) {
            return Err(HandshakeError::Turn);
        }
        if message.len() > MAX_HANDSHAKE {
            return Err(HandshakeError::Noise);
        }
        let mut payload = vec![0; message.len()];
        let read = self
            .noise
            .read_message(&message[1..], &mut payload)
            .map_err(|_| HandshakeError::Noise)?;
        payload.truncate(read);
        Ok(payload)
    }

    /// Writes a message whose payload is this node's identity and its signature.
    fn write_identity(
        &mut self,
        number: HandshakeMessage,
        key: &IdentityKey,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<u8>, HandshakeError> {
        let digest = signed_digest(self.noise.get_handshake_hash(), &self.static_key);
        let signature = key.sign(&digest, rng);
        let mut payload = Vec::with_capacity(PAYLOAD);
        payload.extend_from_slice(key.identity().as_bytes());
        payload.extend_from_slice(signature.as_bytes());
        self.write(number, &payload)
    }

    fn into_frames(self) -> Result<Frames, HandshakeError> {
        self.noise
            .into_stateless_transport_mode()
            .map(Frames::new)
            .map_err(|_| HandshakeError::Noise)
    }
}

/// What an identity signs: the transcript before the message that carries the signature, and the
/// sender's static key.
fn signed_digest(transcript: &[u8], static_key: &[u8]) -> Digest {
    tagged_hash("frostmesh/link", &[transcript, static_key])
}

/// The primitives of snow, with the node's own randomness: a handshake draws one ephemeral key,
/// which is drawn beforehand.
struct Resolver(Zeroizing<[u8; 32]>);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.0.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, _: &HashChoice) -> Option<Box<dyn Hash>> {
        Some(Box::new(OnlySha256::default()))
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// SHA-256 of RustCrypto. The resolver of snow would put SHA-512 into the wasm module as well.
#[derive(Default)]
struct OnlySha256(Sha256);

impl Hash for OnlySha256 {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Sha256::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        out[..32].copy_from_slice(&self.0.finalize_reset());
    }
}

/// Hands out 32 bytes, once.
struct Once(Option<Zeroizing<[u8; 32]>>);

impl Random for Once {
    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), snow::Error> {
        let bytes =
            self.0.take().filter(|bytes| bytes.len() == to.len()).ok_or(snow::Error::Rng)?;
        to.copy_from_slice(bytes.as_slice());
        Ok(())
    }
}
