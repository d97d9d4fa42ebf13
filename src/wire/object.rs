//! The reader of JSON objects: splits one into its fields, of which each message takes those that
//! it knows, by name. Any other field is ignored, whatever it holds.
//!
//! One reader for all messages, so that the wasm module holds one parser of objects and not one for
//! each type.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{WireError, read};

/// The fields of an object, in their order, with values that are not parsed yet.
pub(crate) struct Object<'a>(Vec<(Text<'a>, &'a RawValue)>);

/// Text that is borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The error for a value of another JSON type than the field has. It never repeats the value, which
/// may be a share.
pub(crate) fn wrong_type(name: &str) -> WireError {
    WireError::Malformed(format!("'{name}' is of the wrong kind"))
}

impl<'a> Object<'a> {
    /// Splits an object into its fields. The caller has checked the size of the text.
    pub(crate) fn parse(text: &'a str) -> Result<Self, WireError> {
        read(text)
    }

    /// The value of a field as JSON text; `null` counts as missing. A field that stands twice is an
    /// error.
    pub(crate) fn raw(&self, name: &str) -> Result<Option<&'a RawValue>, WireError> {
        let mut values =
            self.0.iter().filter(|(field, _)| field.0 == name).map(|(_, value)| *value);
        let value = values.next().filter(|value| value.get() != "null");
        if values.next().is_some() {
            return Err(WireError::Malformed(format!("duplicate field '{name}'")));
        }
        Ok(value)
    }

    /// The value of a field that messages of type `kind` need, as JSON text.
    pub(crate) fn value(
        &self,
        kind: &'static str,
        field: &'static str,
    ) -> Result<&'a RawValue, WireError> {
        self.raw(field)?.ok_or(WireError::Missing { kind, field })
    }

    /// The value of a field that messages of type `kind` need.
    pub(crate) fn need<T: Deserialize<'a>>(
        &self,
        kind: &'static str,
        field: &'static str,
    ) -> Result<T, WireError> {
        let value = serde_json::from_str(self.value(kind, field)?.get());
        value.map_err(|_| wrong_type(field))
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
