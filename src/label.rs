//! What a variation (a ciphersuite, a kind of content) calls itself on a screen.

use serde::Serialize;

/// A text for people, with the key of its translations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Label {
    /// Its key in `extension/_locales/LANGUAGE/messages.json`. The message there is shown, if there
    /// is one.
    pub key: &'static str,
    /// The text in plain English. It is shown where no message has the key, so that a new variation
    /// works before anybody has translated it. `$1` stands for the first value.
    pub text: &'static str,
}

impl Label {
    /// A label with that key and that English text.
    #[must_use]
    pub const fn new(key: &'static str, text: &'static str) -> Self {
        Self { key, text }
    }
}
