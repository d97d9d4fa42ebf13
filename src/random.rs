//! The operating system's randomness for crates that still ask for it through `rand_core` 0.6.

use std::num::NonZeroU32;

use rand_core::{CryptoRng, Error, RngCore};

/// The system's random number generator: `getrandom(2)` natively, `crypto.getRandomValues` in the
/// browser.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

const NO_RANDOMNESS: NonZeroU32 = match NonZeroU32::new(Error::CUSTOM_START) {
    Some(code) => code,
    None => NonZeroU32::MIN,
};

impl RngCore for SystemRng {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        // Without randomness no key must be made. Nothing can go on here, and there is no state to
        // save.
        #[allow(clippy::panic)]
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the system has no randomness: {error}");
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes).map_err(|_| Error::from(NO_RANDOMNESS))
    }
}

impl CryptoRng for SystemRng {}
