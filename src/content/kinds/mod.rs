//! The kinds of content: one file each, which says everything about it, and one line in the list below
//! (docs/howto/kind.md). People choose from them in this order.

use super::value::{Content, Listed};

/// Declares the module of each kind, and lists the type that each of them describes.
macro_rules! kinds {
    ($($(#[$attribute:meta])* $module:ident: $type:ident,)+) => {
        $(
            $(#[$attribute])* mod $module;
            $(#[$attribute])* pub use $module::$type;

            $(#[$attribute])* impl From<$type> for Content {
                fn from(value: $type) -> Self {
                    Self::of(value)
                }
            }
        )+

        /// All kinds that are known here.
        pub(super) static KINDS: &[Listed] = &[
            $($(#[$attribute])* Listed::of::<$type>(),)+
        ];
    };
}

kinds! {
    text: Text,
    file: File,
    nostr: NostrEvent,
    hash: Hash,
}
