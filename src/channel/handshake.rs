//! The handshake of a link: `Noise_XX_25519_ChaChaPoly_SHA256`, or with the secret of an invite
//! `Noise_XXpsk0_25519_ChaChaPoly_SHA256` (Noise specification, revision 34, sections 7 and 9).
//!
//! ```text
//! 1  ->  e
//! 2  <-  e, ee, s, es   payload: identity, signature
//! 3  ->  s, se          payload: identity, signature
//! ```
//!
//! The prologue binds protocol, session and both peer ids. Each side signs, with its identity key, its Noise static key
//! and the transcript so far: who answers is who signed, here and now. Each message goes behind a byte with its number.

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

/// An identity and its signature.
const PAYLOAD: usize = 32 + 64;
/// Largest handshake message: two keys, two tags, a payload, and the number in front.
const MAX_HANDSHAKE: usize = 1 + 32 + 48 + PAYLOAD + 16;

/// What both ends have to agree on before they speak.
#[derive(Clone)]
pub struct Context {
    /// The session.
    pub session_id: SessionId,
    /// Who sends the first message.
    pub initiator: PeerId,
    /// Who answers it.
    pub responder: PeerId,
    /// The secret of the session's invite, where there is one.
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
    /// Cut, changed on the way, meant for another session or peer, or made without the secret of the invite.
    #[error("a message of its handshake was changed on the way, or was made without the invite")]
    Noise,
    /// Not in turn.
    #[error("a message of its handshake came out of turn")]
    Turn,
    /// The identity did not sign this handshake.
    #[error("it did not prove the identity that it claims")]
    Identity,
}

/// Which message of a handshake that is: its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeMessage {
    /// The initiator's first.
    Hello,
    /// The responder's.
    Answer,
    /// The initiator's second.
    Proof,
}

impl HandshakeMessage {
    /// The step of a message. `None` for what is none.
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

/// A link that stands: who is at the other end, and the way to talk to it.
pub struct Opened {
    /// Proven.
    pub identity: Identity,
    /// What is said from now on.
    pub frames: Frames,
}

/// A handshake under way.
pub struct Handshake {
    noise: HandshakeState,
    static_key: Vec<u8>,
}

impl Handshake {
    /// Begins one; also returns the first message.
    ///
    /// # Errors
    /// [`HandshakeError::Noise`], which no input causes.
    pub fn start(
        context: &Context,
        key: &IdentityKey,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let mut handshake = Self::new(context, key, true, rng)?;
        let hello = handshake.write(1, &[])?;
        Ok((handshake, hello))
    }

    /// Answers the first message; also returns the second.
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
        let answer = handshake.write_identity(2, key, rng)?;
        Ok((handshake, answer))
    }

    /// The initiator's end: takes the second message, returns the third and the link.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn prove(
        mut self,
        key: &IdentityKey,
        answer: &[u8],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Vec<u8>, Opened), HandshakeError> {
        let identity = self.hear(HandshakeMessage::Answer, answer)?;
        self.prove_to(identity, key, rng)
    }

    /// Takes the second or third message, of which `step` it has to be: who sent it. After [`HandshakeError::Noise`] and
    /// [`HandshakeError::Turn`] nothing has changed, and another message may be the right one.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn hear(
        &mut self,
        step: HandshakeMessage,
        message: &[u8],
    ) -> Result<Identity, HandshakeError> {
        self.read_identity(step, message)
    }

    /// The initiator's end, after it has heard the second message: the third, and the link.
    ///
    /// # Errors
    /// [`HandshakeError::Turn`]: it has not.
    pub fn prove_to(
        mut self,
        identity: Identity,
        key: &IdentityKey,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Vec<u8>, Opened), HandshakeError> {
        let proof = self.write_identity(3, key, rng)?;
        Ok((proof, Opened { identity, frames: self.into_frames()? }))
    }

    /// The responder's end: takes the third message.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn finish(mut self, proof: &[u8]) -> Result<Opened, HandshakeError> {
        let identity = self.hear(HandshakeMessage::Proof, proof)?;
        self.open_to(identity)
    }

    /// The responder's end, after it has heard the third message.
    ///
    /// # Errors
    /// [`HandshakeError`]: it has not.
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

    fn write(&mut self, step: u8, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let mut message = vec![0; MAX_HANDSHAKE];
        message[0] = step;
        let written = self
            .noise
            .write_message(payload, &mut message[1..])
            .map_err(|_| HandshakeError::Noise)?;
        message.truncate(1 + written);
        Ok(message)
    }

    fn read(&mut self, step: HandshakeMessage, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        if HandshakeMessage::of(message) != Some(step) {
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

    fn write_identity(
        &mut self,
        step: u8,
        key: &IdentityKey,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<u8>, HandshakeError> {
        let signature = key.sign(&self.to_sign(&self.static_key), rng);
        let mut payload = Vec::with_capacity(PAYLOAD);
        payload.extend_from_slice(key.identity().as_bytes());
        payload.extend_from_slice(signature.as_bytes());
        self.write(step, &payload)
    }

    fn read_identity(
        &mut self,
        step: HandshakeMessage,
        message: &[u8],
    ) -> Result<Identity, HandshakeError> {
        let transcript = self.noise.get_handshake_hash().to_vec();
        let payload = self.read(step, message)?;
        let (identity, signature) = payload.split_at_checked(32).ok_or(HandshakeError::Identity)?;
        let identity = Identity::from_bytes(identity).ok_or(HandshakeError::Identity)?;
        let signature = signature.try_into().map_err(|_| HandshakeError::Identity)?;
        let theirs = self.noise.get_remote_static().ok_or(HandshakeError::Identity)?;
        let digest = tagged_hash("frostmesh/link", &[&transcript, theirs]);
        let proven = identity.has_signed(&digest, &Signature::from_bytes(signature));
        if proven { Ok(identity) } else { Err(HandshakeError::Identity) }
    }

    /// What an identity signs: the transcript before the message that carries the signature, and its static key.
    fn to_sign(&self, static_key: &[u8]) -> Digest {
        tagged_hash("frostmesh/link", &[self.noise.get_handshake_hash(), static_key])
    }

    fn into_frames(self) -> Result<Frames, HandshakeError> {
        self.noise
            .into_stateless_transport_mode()
            .map(Frames::new)
            .map_err(|_| HandshakeError::Noise)
    }
}

/// The primitives of snow, with the node's own randomness: a handshake draws one ephemeral key, drawn here beforehand.
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

/// SHA-256 of RustCrypto, and nothing else: the resolver of snow would take SHA-512 into the wasm module, too.
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
