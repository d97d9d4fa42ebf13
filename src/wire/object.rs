//! A JSON object of which each reader takes the fields that it knows, by name: any other field is unknown to it, whatever it
//! holds. One shape for all messages, so that there is one parser of objects in the wasm module and not twenty.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{WireError, read};

/// The fields of an object, in their order, with values that nobody has read yet.
pub(super) struct Object<'a>(Vec<(Text<'a>, &'a RawValue)>);

/// Text that is borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl<'a> Object<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, WireError> {
        read(text)
    }

    /// The value of a field as JSON text; `null` counts as absent. A field that stands there twice means two things.
    pub(super) fn raw(&self, name: &str) -> Result<Option<&'a RawValue>, WireError> {
        let mut values =
            self.0.iter().filter(|(field, _)| field.0 == name).map(|(_, value)| *value);
        let value = values.next().filter(|value| value.get() != "null");
        if values.next().is_some() {
            Err(WireError::Malformed(format!("'{name}' stands there twice")))
        } else {
            Ok(value)
        }
    }

    /// A field that may be absent.
    pub(super) fn optional<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, WireError> {
        let Some(value) = self.raw(name)? else { return Ok(None) };
        // The error never repeats what stands there: it may be a share.
        let value = serde_json::from_str(value.get());
        value.map(Some).map_err(|_| WireError::Malformed(format!("'{name}' is of the wrong kind")))
    }

    /// A field that this kind of message needs.
    pub(super) fn need<T: Deserialize<'a>>(
        &self,
        kind: &'static str,
        field: &'static str,
    ) -> Result<T, WireError> {
        self.optional(field)?.ok_or(WireError::Missing { kind, field })
    }

    /// A field that this kind of message needs, whatever it holds.
    pub(super) fn value(
        &self,
        kind: &'static str,
        field: &'static str,
    ) -> Result<&'a RawValue, WireError> {
        self.raw(field)?.ok_or(WireError::Missing { kind, field })
    }

    /// A field of an extension: a value of another kind is some other extension's, and nothing to us.
    pub(super) fn lenient<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, WireError> {
        Ok(self.raw(name)?.and_then(|value| serde_json::from_str(value.get()).ok()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
