//! Fields of commands: how each type is read from JSON, written to it, and called in TypeScript.

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

use super::{ErrorCode, Refusal};
use crate::frost::{GroupKey, Suite};
use crate::group::Operation;
use crate::identity::Invite;
use crate::wire::{PeerId, SessionId};

/// Largest whole number that JSON's readers agree on: 2^53 - 1.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The value of a field is not of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongKind;

/// The fields of a command, by name. A surface implements it for what it receives. `null` counts as
/// absent.
pub trait Fields {
    /// A text.
    ///
    /// # Errors
    /// It is something else.
    fn text(&self, name: &str) -> Result<Option<String>, WrongKind>;

    /// A whole number, up to [`MAX_NUMBER`].
    ///
    /// # Errors
    /// It is something else.
    fn number(&self, name: &str) -> Result<Option<u64>, WrongKind>;

    /// True or false.
    ///
    /// # Errors
    /// It is something else.
    fn flag(&self, name: &str) -> Result<Option<bool>, WrongKind>;

    /// A list of texts.
    ///
    /// # Errors
    /// It is something else.
    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, WrongKind>;

    /// The group key of a wallet, with its ciphersuite. `None` if there is no such wallet here.
    fn group_key(&self, pubkey: &str) -> Option<GroupKey>;
}

/// A type that a field of a command can have.
pub trait Field: Sized {
    /// Its name in TypeScript.
    const TYPESCRIPT: &'static str;

    /// Reads a field. `None` when it is absent.
    ///
    /// # Errors
    /// The field has no valid value.
    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal>;

    /// Its declaration in TypeScript.
    #[must_use]
    fn typescript(name: &str, has_default: bool) -> String {
        format!("{name}{}: {}", if has_default { "?" } else { "" }, Self::TYPESCRIPT)
    }
}

/// A [`Field`] of a command that is also written.
pub trait WriteField {
    /// Writes the field into a JSON object.
    ///
    /// # Errors
    /// The writer's.
    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error>;
}

/// The refusal of a command without a field that it needs.
#[must_use]
pub fn missing(kind: &str, name: &str) -> Refusal {
    Refusal::new(ErrorCode::Internal, format!("'{kind}' needs '{name}'"))
}

fn wrong_kind(name: &str) -> Refusal {
    Refusal::new(ErrorCode::Internal, format!("'{name}' is of the wrong kind"))
}

/// Reads a text that has a form of its own.
fn parse<T: std::str::FromStr<Err: ToString>>(
    fields: &dyn Fields,
    name: &str,
    code: ErrorCode,
) -> Result<Option<T>, Refusal> {
    let Some(text) = fields.text(name).map_err(|WrongKind| wrong_kind(name))? else {
        return Ok(None);
    };
    let text = Zeroizing::new(text); // an invite is a secret
    text.parse().map(Some).map_err(|error: T::Err| Refusal::new(code, error.to_string()))
}

impl Field for String {
    const TYPESCRIPT: &'static str = "string";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        fields.text(name).map_err(|WrongKind| wrong_kind(name))
    }
}

impl Field for Zeroizing<String> {
    const TYPESCRIPT: &'static str = "string";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        Ok(String::read(fields, name)?.map(Zeroizing::new))
    }
}

impl Field for bool {
    const TYPESCRIPT: &'static str = "boolean";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        fields.flag(name).map_err(|WrongKind| wrong_kind(name))
    }
}

impl Field for u64 {
    const TYPESCRIPT: &'static str = "number";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        fields.number(name).map_err(|WrongKind| wrong_kind(name))
    }
}

impl Field for u16 {
    const TYPESCRIPT: &'static str = "number";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        let Some(number) = u64::read(fields, name)? else { return Ok(None) };
        Self::try_from(number).map(Some).map_err(|_| wrong_kind(name))
    }
}

impl Field for PeerId {
    const TYPESCRIPT: &'static str = "PeerId";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        parse(fields, name, ErrorCode::BadPeerId)
    }
}

impl Field for SessionId {
    const TYPESCRIPT: &'static str = "SessionId";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        parse(fields, name, ErrorCode::NoSuchSession)
    }
}

impl Field for Suite {
    const TYPESCRIPT: &'static str = "Suite";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        parse(fields, name, ErrorCode::BadProposal)
    }
}

/// As a URI, or the address of a page with the same behind its `#`.
impl Field for Box<Invite> {
    const TYPESCRIPT: &'static str = "string";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        Ok(parse(fields, name, ErrorCode::BadInvite)?.map(Box::new))
    }
}

/// The participants of a session.
impl Field for Vec<PeerId> {
    const TYPESCRIPT: &'static str = "PeerId[]";

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        let Some(texts) = fields.texts(name).map_err(|WrongKind| wrong_kind(name))? else {
            return Ok(None);
        };
        let ids: Result<Self, _> = texts.iter().map(|id| id.trim().parse()).collect();
        ids.map(Some).map_err(|error| Refusal::new(ErrorCode::BadProposal, error))
    }
}

/// In two fields: `content`, and its kind in `content_kind`. What `content` may be depends on the
/// wallet.
impl Field for Operation {
    const TYPESCRIPT: &'static str = "string";

    fn read(fields: &dyn Fields, _: &str) -> Result<Option<Self>, Refusal> {
        let text = |name: &str| String::read(fields, name);
        let (Some(kind), Some(content), Some(pubkey)) =
            (text("content_kind")?, text("content")?, text("pubkey")?)
        else {
            return Ok(None);
        };
        let key = fields.group_key(&pubkey);
        let operation = Self::read(&kind, &content, key.as_ref());
        operation.map(Some).map_err(|error| Refusal::new(ErrorCode::BadRequest, error))
    }

    fn typescript(_: &str, _: bool) -> String {
        "content_kind: ContentKind | \"batch\"; content: string".to_owned()
    }
}

/// An empty text counts as absent.
impl<T: Field> Field for Option<T> {
    const TYPESCRIPT: &'static str = T::TYPESCRIPT;

    fn read(fields: &dyn Fields, name: &str) -> Result<Option<Self>, Refusal> {
        if fields.text(name).is_ok_and(|text| text.is_some_and(|text| text.is_empty())) {
            return Ok(Some(None));
        }
        T::read(fields, name).map(Some)
    }

    fn typescript(name: &str, _: bool) -> String {
        T::typescript(name, true)
    }
}

macro_rules! written_as_is {
    ($($type:ty),*) => { $(
        impl WriteField for $type {
            fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
                map.serialize_entry(name, self)
            }
        }
    )* };
}

written_as_is!(String, bool, u64, u16, PeerId, SessionId, Suite, Vec<PeerId>);

impl WriteField for Box<Invite> {
    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(name, &self.uri())
    }
}

impl WriteField for Operation {
    fn write<M: SerializeMap>(&self, _: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("content_kind", self.kind())?;
        map.serialize_entry("content", &self.written())
    }
}

impl<T: Serialize + WriteField> WriteField for Option<T> {
    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        match self {
            Some(value) => value.write(name, map),
            None => Ok(()),
        }
    }
}

/// The fields of a JSON object, with values that are parsed when they are read: no secret is
/// copied.
pub struct JsonFields<'a> {
    fields: BTreeMap<Cow<'a, str>, &'a RawValue>,
    group_key: &'a dyn Fn(&str) -> Option<GroupKey>,
}

impl<'a> JsonFields<'a> {
    /// Reads the outline of a JSON object. `group_key` gives the key of a wallet
    /// ([`Fields::group_key`]).
    ///
    /// # Errors
    /// The text is no JSON object.
    pub fn parse(
        text: &'a str,
        group_key: &'a dyn Fn(&str) -> Option<GroupKey>,
    ) -> Result<Self, Refusal> {
        let fields = serde_json::from_str(text).map_err(|_| {
            Refusal::new(ErrorCode::Internal, "a command is a JSON object with a 'type'")
        })?;
        Ok(Self { fields, group_key })
    }

    /// The name of the command.
    ///
    /// # Errors
    /// There is none.
    pub fn kind(&self) -> Result<String, Refusal> {
        String::read(self, "type")?.ok_or_else(|| missing("command", "type"))
    }

    fn value<T: serde::Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, WrongKind> {
        let value = self.fields.get(name).filter(|value| value.get() != "null");
        value.map(|value| serde_json::from_str(value.get())).transpose().map_err(|_| WrongKind)
    }
}

impl Fields for JsonFields<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, WrongKind> {
        self.value(name)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, WrongKind> {
        self.value(name)
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, WrongKind> {
        self.value(name)
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, WrongKind> {
        self.value(name)
    }

    fn group_key(&self, pubkey: &str) -> Option<GroupKey> {
        (self.group_key)(pubkey)
    }
}
