//! The declaration of messages: one list from which the enum, the names of its types, the reader,
//! the writer and the list of fields come.
//!
//! ```text
//! messages! {
//!     /// One message.
//!     pub enum PeerMessage {
//!         /// The sender's round-1 package.
//!         "commitment" => Round1Package {
//!             /// The session.
//!             session_id: Option<SessionId> as Session,
//!             /// `round1::Package::serialize()`.
//!             data: Vec<u8> as Required<Hex<MAX_PACKAGE>>,
//!         },
//!         /// Asks who is registered.
//!         "list_peers" => ListPeers,
//!         /// The ledger of the sender.
//!         "holdings" => Inventory(holdings: Vec<InventoryItem> as Required),
//!     }
//! }
//! ```
//!
//! Each variant names the `type` of its message; each field its Rust type and, behind `as`, how it
//! is read and written: a [`Field`](super::field::Field) (needed, optional, lenient) around a
//! [`Codec`](super::codec::Codec) (JSON, hex with a limit, clipped text). Fields are written in the
//! order of the declaration. A variant with one field may be a tuple. A last variant `otherwise
//! Other(OtherMessage)` holds another enum of messages, which the caller reads.
//!
//! **Where the fields stand.** The macro reads and writes fields, whatever object they stand in.
//! Messages that have them beside `type` use [`Message::parse_flat`] and [`Message::to_flat_text`]
//! (node and server, members of a wallet). Messages between peers have them in an object `payload`
//! and do that themselves (`PeerMessage::parse`).

use zeroize::Zeroizing;

use super::object::{Object, Text};
use super::writer::Writer;
use super::{SessionId, WireError, clip, within};

/// A type of message with its fields, as docs/PROTOCOL.md lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageType {
    /// The value of `type`.
    pub name: &'static str,
    /// The names of all fields, beside `type` and `payload`.
    pub fields: Vec<&'static str>,
}

/// An enum of messages, declared by [`messages`].
pub(crate) trait Message: Sized {
    /// The value of `type` of each message.
    const KINDS: &'static [&'static str];

    /// The message's `type`.
    fn kind(&self) -> &'static str;

    /// The session that the message names.
    fn session_id(&self) -> Option<&SessionId>;

    /// Reads the fields of a message of type `kind`.
    ///
    /// # Errors
    /// [`WireError`] names the field; [`WireError::UnknownType`] for a type that is not declared.
    fn read(kind: &str, object: &Object<'_>) -> Result<Self, WireError>;

    /// Adds the fields to an object.
    fn write<'a>(&'a self, object: &mut Writer<'a>);

    /// Reads a message whose fields stand beside `type`.
    ///
    /// # Errors
    /// [`WireError`]; a text of more than `limit` bytes is not parsed.
    fn parse_flat(text: &str, limit: usize) -> Result<Self, WireError> {
        within(text.len(), limit)?;
        let object = Object::parse(text)?;
        let kind: Text<'_> = object.need("message", "type")?;
        Self::read(&kind.0, &object)
    }

    /// The message as JSON text, with its fields beside `type`.
    fn to_flat_text(&self) -> Zeroizing<String> {
        let mut message = Writer::of_type(self.kind());
        self.write(&mut message);
        message.into_text()
    }

    /// The declared name of a `type`.
    ///
    /// # Errors
    /// [`WireError::UnknownType`].
    fn known(kind: &str) -> Result<&'static str, WireError> {
        let known = Self::KINDS.iter().find(|known| **known == kind);
        known.copied().ok_or_else(|| WireError::UnknownType(clip(kind)))
    }
}

/// Declares an enum of messages. See the [module](self).
macro_rules! messages {
    (
        $(#[$enum_meta:meta])*
        $vis:vis enum $name:ident {
            $(
                $(#[$meta:meta])*
                $kind:literal => $variant:ident
                $({ $( $(#[$field_meta:meta])* $field:ident : $type:ty as $as:ty ),* $(,)? })?
                $(( $one:ident : $one_type:ty as $one_as:ty ))?
            ),*
            $(, otherwise $(#[$other_meta:meta])* $other:ident ( $other_type:ty $(, $more:ty)* ) )?
            $(,)?
        }
    ) => {
        $(#[$enum_meta])*
        $vis enum $name {
            $(
                $(#[$meta])*
                $variant
                $({ $( $(#[$field_meta])* $field: $type ),* })?
                $(( $one_type ))?
            ),*
            $(, $(#[$other_meta])* $other($other_type $(, $more)*) )?
        }

        impl $name {
            /// The message's `type`.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $( Self::$variant { .. } => $kind, )*
                    $( Self::$other(message, ..) => <$other_type>::kind(message), )?
                }
            }

            /// Every declared type of message with its fields.
            #[must_use]
            pub fn types() -> Vec<$crate::wire::MessageType> {
                vec![$({
                    #[allow(unused_mut)] // a message without fields
                    let mut fields = Vec::new();
                    $($( <$as as $crate::wire::field::Field<$type>>::names(stringify!($field), &mut fields); )*)?
                    $( <$one_as as $crate::wire::field::Field<$one_type>>::names(stringify!($one), &mut fields); )?
                    $crate::wire::MessageType { name: $kind, fields }
                }),*]
            }
        }

        #[allow(unused_variables)] // messages without fields
        impl $crate::wire::message::Message for $name {
            const KINDS: &'static [&'static str] = &[$($kind),*];

            fn kind(&self) -> &'static str {
                self.kind()
            }

            fn session_id(&self) -> Option<&$crate::wire::SessionId> {
                match self {
                    $(
                        Self::$variant $({ $($field),* })? $(( $one ))? => {
                            None
                            $($( .or(<$as as $crate::wire::field::Field<$type>>::session_id($field)) )*)?
                            $( .or(<$one_as as $crate::wire::field::Field<$one_type>>::session_id($one)) )?
                        }
                    )*
                    $(
                        Self::$other(message, ..) => {
                            <$other_type as $crate::wire::message::Message>::session_id(message)
                        }
                    )?
                }
            }

            fn read(
                kind: &str,
                object: &$crate::wire::object::Object<'_>,
            ) -> Result<Self, $crate::wire::WireError> {
                match kind {
                    $(
                        $kind => Ok(Self::$variant
                            $({ $(
                                $field: <$as as $crate::wire::field::Field<$type>>::read(
                                    object, $kind, stringify!($field),
                                )?
                            ),* })?
                            $(( <$one_as as $crate::wire::field::Field<$one_type>>::read(
                                object, $kind, stringify!($one),
                            )? ))?
                        ),
                    )*
                    other => Err($crate::wire::WireError::UnknownType($crate::wire::clip(other))),
                }
            }

            fn write<'a>(&'a self, object: &mut $crate::wire::writer::Writer<'a>) {
                match self {
                    $(
                        Self::$variant $({ $($field),* })? $(( $one ))? => {
                            $($( <$as as $crate::wire::field::Field<$type>>::write(
                                $field, stringify!($field), object,
                            ); )*)?
                            $( <$one_as as $crate::wire::field::Field<$one_type>>::write(
                                $one, stringify!($one), object,
                            ); )?
                        }
                    )*
                    $(
                        Self::$other(message, ..) => {
                            <$other_type as $crate::wire::message::Message>::write(message, object)
                        }
                    )?
                }
            }
        }
    };
}

/// Declares a struct whose fields are fields of a message: a [`FieldSet`](super::field::FieldSet),
/// for use with [`Flat`](super::field::Flat). A name on the wire that differs from the field's
/// stands before it: `"sdpMid" => sdp_mid`.
macro_rules! fields {
    (
        $(#[$struct_meta:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[$meta:meta])*
                $($wire:literal =>)? $field:ident : $type:ty as $as:ty
            ),* $(,)?
        }
    ) => {
        $(#[$struct_meta])*
        $vis struct $name {
            $( $(#[$meta])* pub $field: $type ),*
        }

        impl $crate::wire::field::FieldSet for $name {
            fn read(
                object: &$crate::wire::object::Object<'_>,
                kind: &'static str,
            ) -> Result<Self, $crate::wire::WireError> {
                Ok(Self {
                    $( $field: <$as as $crate::wire::field::Field<$type>>::read(
                        object, kind, $crate::wire::message::name!($field $($wire)?),
                    )? ),*
                })
            }

            fn write<'a>(&'a self, message: &mut $crate::wire::writer::Writer<'a>) {
                $( <$as as $crate::wire::field::Field<$type>>::write(
                    &self.$field, $crate::wire::message::name!($field $($wire)?), message,
                ); )*
            }

            fn names(names: &mut Vec<&'static str>) {
                $( <$as as $crate::wire::field::Field<$type>>::names(
                    $crate::wire::message::name!($field $($wire)?), names,
                ); )*
            }

            fn session_id(&self) -> Option<&$crate::wire::SessionId> {
                None $( .or(<$as as $crate::wire::field::Field<$type>>::session_id(&self.$field)) )*
            }
        }
    };
}

/// The name of a field on the wire.
macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $wire:literal) => {
        $wire
    };
}

pub(crate) use {fields, messages, name};

#[cfg(test)]
mod tests {
    //! Messages as the members of a wallet send them: their fields stand beside `type`.

    use super::{Message, MessageType};
    use crate::wire::WireError;
    use crate::wire::codec::{Clipped, Hex, HexArray};
    use crate::wire::field::{Flat, Lenient, OrDefault, Required};

    messages! {
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum GroupMessage {
            "holdings" => Inventory(holdings: Vec<u32> as Required),
            "start" => Start {
                ceremony: [u8; 16] as Required<HexArray>,
                request: Option<[u8; 32]> as Lenient<HexArray>,
                votes: Vec<u32> as OrDefault,
            },
            "signature_share" => SignatureShare {
                ceremony: [u8; 16] as Required<HexArray>,
                data: Vec<u8> as Required<Hex<4>>,
            },
            "refused" => Refused(refusal: Refusal as Flat),
            "checked" => Checked,
        }
    }

    fields! {
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct Refusal {
            ceremony: [u8; 16] as Required<HexArray>,
            "reason" => text: String as Required<Clipped>,
        }
    }

    const CEREMONY: &str = "05050505050505050505050505050505";

    fn parse(text: &str) -> Result<GroupMessage, WireError> {
        GroupMessage::parse_flat(text, 1024)
    }

    #[test]
    fn a_message_without_payload_has_its_fields_beside_its_type() {
        let ceremony = [5; 16];
        let refusal = Refusal { ceremony, text: "no".to_owned() };
        let share = |data| GroupMessage::SignatureShare { ceremony, data };
        let start = |request, votes| GroupMessage::Start { ceremony, request, votes };
        let request = "07".repeat(32);
        for (message, expected) in [
            (GroupMessage::Inventory(vec![1, 2]), r#"{"type":"holdings","holdings":[1,2]}"#.into()),
            (start(None, vec![]), format!(r#"{{"type":"start","ceremony":"{CEREMONY}"}}"#)),
            (
                start(Some([7; 32]), vec![3]),
                format!(
                    r#"{{"type":"start","ceremony":"{CEREMONY}","request":"{request}","votes":[3]}}"#
                ),
            ),
            (
                share(vec![0xab; 4]),
                format!(
                    r#"{{"type":"signature_share","ceremony":"{CEREMONY}","data":"abababab"}}"#
                ),
            ),
            (
                GroupMessage::Refused(refusal),
                format!(r#"{{"type":"refused","ceremony":"{CEREMONY}","reason":"no"}}"#),
            ),
            (GroupMessage::Checked, r#"{"type":"checked"}"#.to_owned()),
        ] {
            assert_eq!(*message.to_flat_text(), expected);
            assert_eq!(parse(&expected), Ok(message));
        }
    }

    #[test]
    fn what_is_wrong_with_a_field_is_named() {
        let malformed = |text: &str| Err(WireError::Malformed(text.to_owned()));
        for (text, expected) in [
            (r#"{"type":"hologram"}"#, Err(WireError::UnknownType("hologram".into()))),
            (
                r#"{"type":"holdings","holdings":null}"#,
                Err(WireError::Missing { kind: "holdings", field: "holdings" }),
            ),
            (r#"{"type":"holdings","holdings":7}"#, malformed("'holdings' is of the wrong kind")),
            (
                r#"{"type":"holdings","holdings":[],"holdings":[]}"#,
                malformed("duplicate field 'holdings'"),
            ),
            (
                r#"{"type":"start","ceremony":"05"}"#,
                malformed("'ceremony' is not 16 bytes of hexadecimal"),
            ),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        let long = format!(
            r#"{{"type":"signature_share","ceremony":"{CEREMONY}","data":"{}"}}"#,
            "00".repeat(5)
        );
        assert_eq!(parse(&long), Err(WireError::TooLarge { size: 5, limit: 4 }));
        let lenient = format!(r#"{{"type":"start","ceremony":"{CEREMONY}","request":17}}"#);
        assert!(matches!(parse(&lenient), Ok(GroupMessage::Start { request: None, .. })));
    }

    #[test]
    fn the_list_of_fields_comes_from_the_declaration() {
        let refused = MessageType { name: "refused", fields: vec!["ceremony", "reason"] };
        let types = GroupMessage::types();
        assert_eq!(types.len(), GroupMessage::KINDS.len());
        assert!(types.contains(&refused), "{types:?}");
        assert_eq!(types[4], MessageType { name: "checked", fields: Vec::new() });
    }
}
