//! The kinds of content: one file each, which says everything about it, and one line in the list
//! below (docs/howto/kind.md). People choose from them in this order.

use super::value::{Content, Listed};

/// Declares the module of each kind, and lists the type that each of them describes.
macro_rules! kinds {
    ($($(#[cfg($cfg:meta)])? $(#[path = $path:literal])? $module:ident: $type:ident,)+) => {
        $(
            $(#[cfg($cfg)])? $(#[path = $path])? mod $module;
            $(#[cfg($cfg)])? pub use $module::$type;

            $(#[cfg($cfg)])? impl From<$type> for Content {
                fn from(value: $type) -> Self {
                    Self::of(value)
                }
            }
        )+

        /// All kinds that are known here.
        pub(super) static KINDS: &[Listed] = &[
            $($(#[cfg($cfg)])? Listed::of::<$type>(),)+
        ];
    };
}

kinds! {
    text: Text,
    file: File,
    nostr: NostrEvent,
    hash: Hash,
    #[cfg(test)] #[path = "../../../tests/extend/toy_kind.rs"] toy_kind: ToyLines,
}
