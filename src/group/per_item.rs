//! One value for each item of an operation as JSON: where there is one item its hex text, where
//! there are several a list.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serializer};

use super::MAX_ITEMS;

/// Largest value of one item, in bytes: commitments, a signature share, a signature.
pub(super) const MAX_VALUE: usize = 256;

/// Writes the values.
///
/// # Errors
/// The serializer's.
#[allow(clippy::ptr_arg)] // the signature is serde's
pub(crate) fn serialize<S: Serializer>(values: &Vec<Vec<u8>>, s: S) -> Result<S::Ok, S::Error> {
    match &values[..] {
        [value] => s.serialize_str(&hex::encode(value)),
        several => s.collect_seq(several.iter().map(hex::encode)),
    }
}

/// Reads them: at most [`MAX_ITEMS`], each of at most [`MAX_VALUE`] bytes.
///
/// # Errors
/// Neither hex text nor a list of such, or too large.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Vec<u8>>, D::Error> {
    d.deserialize_any(OneOrMany)
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Vec<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hexadecimal digits, or a list of up to {MAX_ITEMS} such texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        value(text).map(|value| vec![value])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            if values.len() == MAX_ITEMS {
                return Err(A::Error::custom("more values than there can be items"));
            }
            values.push(value(&text)?);
        }
        Ok(values)
    }
}

fn value<E: Error>(text: &str) -> Result<Vec<u8>, E> {
    if text.len() > 2 * MAX_VALUE {
        return Err(E::custom("larger than any value of an item"));
    }
    hex::decode(text).map_err(|_| E::custom("not hexadecimal"))
}
