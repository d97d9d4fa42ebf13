//! Derives a key from a password: Argon2id (RFC 9106), with bounds for parameters that come from a
//! file.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::KeystoreError;

/// Bytes of salt.
pub(super) const SALT: usize = 16;
/// Bytes of the derived key.
pub(super) const KEY: usize = 32;

/// Cost of the password's key derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfParams {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for KdfParams {
    /// 64 MiB, three passes, four lanes: the second recommendation of RFC 9106, section 4.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }
}

impl KdfParams {
    /// The cheapest accepted parameters: 19 MiB and two passes.
    pub const FLOOR: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// The most expensive accepted parameters, so that a hostile file cannot exhaust a browser.
    pub const CEILING: Self = Self { memory_kib: 256 * 1024, passes: 16, lanes: 16 };

    /// Bytes of the encoded parameters.
    pub(super) const ENCODED: usize = 12;

    pub(super) fn encode(self) -> [u8; Self::ENCODED] {
        let mut out = [0; Self::ENCODED];
        let fields = [self.memory_kib, self.passes, self.lanes];
        for (slot, value) in out.chunks_exact_mut(4).zip(fields) {
            slot.copy_from_slice(&value.to_be_bytes());
        }
        out
    }

    /// Reads parameters and checks their bounds.
    pub(super) fn decode(bytes: &[u8; Self::ENCODED]) -> Result<Self, KeystoreError> {
        let field =
            |i: usize| u32::from_be_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        Self { memory_kib: field(0), passes: field(4), lanes: field(8) }.checked()
    }

    pub(super) fn checked(self) -> Result<Self, KeystoreError> {
        let (low, high) = (Self::FLOOR, Self::CEILING);
        let within = (low.memory_kib..=high.memory_kib).contains(&self.memory_kib)
            && (low.passes..=high.passes).contains(&self.passes)
            && (low.lanes..=high.lanes).contains(&self.lanes);
        if within {
            Ok(self)
        } else {
            let Self { memory_kib, passes, lanes } = self;
            Err(KeystoreError::KdfBounds(format!(
                "{memory_kib} KiB, {passes} passes, {lanes} lanes"
            )))
        }
    }

    /// Derives the key. With the default parameters that takes about 0.2 s natively and 0.5 s in a
    /// browser.
    pub(super) fn derive(
        self,
        password: &str,
        salt: &[u8; SALT],
    ) -> Result<Zeroizing<[u8; KEY]>, KeystoreError> {
        let failed = |e: argon2::Error| KeystoreError::Kdf(e.to_string());
        let params =
            Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY)).map_err(failed)?;
        let mut key = Zeroizing::new([0; KEY]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.as_bytes(), salt, key.as_mut_slice())
            .map_err(failed)?;
        Ok(key)
    }
}
