//! Codecs: how the value of a field is written in JSON, and what bounds it.
//!
//! A codec is a type without values. A declaration of messages names it beside the Rust type of the
//! field, such as `Vec<u8> as Required<Hex<MAX_PACKAGE>>` (see [`super::message::messages`]).

use std::borrow::Cow;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::object::{Text, wrong_type};
use super::writer::Value;
use super::{WireError, clip, within};

/// Reads and writes the values of one Rust type in one form.
pub(crate) trait Codec<T> {
    /// Reads the value of the field `name`.
    ///
    /// # Errors
    /// [`WireError`] names the field. It never repeats the value, which may be a share.
    fn read(raw: &RawValue, name: &'static str) -> Result<T, WireError>;

    /// The value, ready to be written.
    fn write(value: &T) -> Value<'_>;
}

/// Reads a string.
fn text<'a>(raw: &'a RawValue, name: &str) -> Result<Cow<'a, str>, WireError> {
    let text: Result<Text<'a>, _> = serde_json::from_str(raw.get());
    text.map(|text| text.0).map_err(|_| wrong_type(name))
}

/// The form that serde gives the type. For types that bound themselves, and for numbers.
pub(crate) struct Json;

impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    fn read(raw: &RawValue, name: &'static str) -> Result<T, WireError> {
        serde_json::from_str(raw.get()).map_err(|_| wrong_type(name))
    }

    fn write(value: &T) -> Value<'_> {
        Value::json(value)
    }
}

/// Any JSON value, handed on as the text that it came as.
pub(crate) struct Raw;

impl Codec<Box<RawValue>> for Raw {
    fn read(raw: &RawValue, _: &'static str) -> Result<Box<RawValue>, WireError> {
        Ok(raw.to_owned())
    }

    fn write(value: &Box<RawValue>) -> Value<'_> {
        Value::Json(Cow::Borrowed(value.get()))
    }
}

/// A string of at most `MAX` bytes.
pub(crate) struct Bounded<const MAX: usize>;

impl<const MAX: usize> Codec<String> for Bounded<MAX> {
    fn read(raw: &RawValue, name: &'static str) -> Result<String, WireError> {
        let text = text(raw, name)?;
        within(text.len(), MAX)?;
        Ok(text.into_owned())
    }

    fn write(value: &String) -> Value<'_> {
        Value::json(value)
    }
}

/// A string for people: cut to [`super::MAX_TEXT`] bytes and freed of control characters when it is
/// read.
pub(crate) struct Clipped;

impl Codec<String> for Clipped {
    fn read(raw: &RawValue, name: &'static str) -> Result<String, WireError> {
        text(raw, name).map(|text| clip(&text))
    }

    fn write(value: &String) -> Value<'_> {
        Value::json(value)
    }
}

/// A string that its type parses, such as a peer id. The error is that of the type.
pub(crate) struct Parsed;

impl<T> Codec<T> for Parsed
where
    T: FromStr + Serialize,
    WireError: From<T::Err>,
{
    fn read(raw: &RawValue, name: &'static str) -> Result<T, WireError> {
        Ok(text(raw, name)?.parse()?)
    }

    fn write(value: &T) -> Value<'_> {
        Value::json(value)
    }
}

/// At most `MAX` bytes as hex text. Nothing of them is copied on the way: they may be a share.
pub(crate) struct Hex<const MAX: usize>;

impl<const MAX: usize> Codec<Zeroizing<Vec<u8>>> for Hex<MAX> {
    fn read(raw: &RawValue, name: &'static str) -> Result<Zeroizing<Vec<u8>>, WireError> {
        let text = text(raw, name)?;
        within(text.len() / 2, MAX)?;
        let bytes = hex::decode(text.as_bytes()).map(Zeroizing::new);
        if let Cow::Owned(text) = text {
            drop(Zeroizing::new(text)); // it was escaped, and so is a copy
        }
        bytes.map_err(|_| WireError::Malformed(format!("'{name}' is not hexadecimal")))
    }

    fn write(value: &Zeroizing<Vec<u8>>) -> Value<'_> {
        Value::Hex(value)
    }
}

impl<const MAX: usize> Codec<Vec<u8>> for Hex<MAX> {
    fn read(raw: &RawValue, name: &'static str) -> Result<Vec<u8>, WireError> {
        let mut bytes: Zeroizing<Vec<u8>> = Self::read(raw, name)?;
        Ok(std::mem::take(&mut *bytes))
    }

    fn write(value: &Vec<u8>) -> Value<'_> {
        Value::Hex(value)
    }
}

/// Exactly `N` bytes as hex text, such as a hash.
pub(crate) struct HexArray;

impl<const N: usize> Codec<[u8; N]> for HexArray {
    fn read(raw: &RawValue, name: &'static str) -> Result<[u8; N], WireError> {
        let mut bytes = [0; N];
        let decoded = hex::decode_to_slice(text(raw, name)?.as_bytes(), &mut bytes);
        let wrong = || WireError::Malformed(format!("'{name}' is not {N} bytes of hexadecimal"));
        decoded.map(|()| bytes).map_err(|_| wrong())
    }

    fn write(value: &[u8; N]) -> Value<'_> {
        Value::Hex(value)
    }
}
