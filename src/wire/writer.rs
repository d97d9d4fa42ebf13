//! The writer of JSON objects: collects the fields of a message, then writes them into one buffer
//! of the right size.
//!
//! One writer for all messages, so that the wasm module holds one and not one for each type. A
//! buffer that never grows leaves no copy of a share behind.

use std::borrow::Cow;

use serde::Serialize;
use zeroize::Zeroizing;

/// A value that waits to be written.
pub(crate) enum Value<'a> {
    /// JSON text.
    Json(Cow<'a, str>),
    /// Bytes, written as a string of lower-case hex. Their text exists in the message alone, since
    /// they may be a share.
    Hex(&'a [u8]),
    /// An object.
    Object(Writer<'a>),
}

impl Value<'_> {
    /// A value as JSON text.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        // Strings, numbers and lists of them: serde_json has no way to fail on these.
        let text = serde_json::to_string(value);
        Self::Json(text.map_or(Cow::Borrowed("null"), Cow::Owned))
    }

    /// Bytes of text that the value takes.
    fn size(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Hex(bytes) => 2 * bytes.len() + 2,
            Self::Object(object) => object.size(),
        }
    }

    fn write(&self, text: &mut Vec<u8>) {
        match self {
            Self::Json(json) => text.extend_from_slice(json.as_bytes()),
            Self::Hex(bytes) => {
                text.push(b'"');
                let start = text.len();
                text.resize(start + 2 * bytes.len(), 0);
                // Fails for a target of another size only.
                let _ = hex::encode_to_slice(bytes, &mut text[start..]);
                text.push(b'"');
            }
            Self::Object(object) => object.write(text),
        }
    }
}

/// The fields of an object, in the order in which they are written.
#[derive(Default)]
pub(crate) struct Writer<'a>(Vec<(&'static str, Value<'a>)>);

impl<'a> Writer<'a> {
    /// An object that begins with the `type` of a message.
    pub(crate) fn of_type(kind: &'static str) -> Self {
        let mut fields = Self::default();
        fields.push("type", Value::json(&kind));
        fields
    }

    /// Adds a field. Its name holds nothing that JSON escapes.
    pub(crate) fn push(&mut self, name: &'static str, value: Value<'a>) {
        self.0.push((name, value));
    }

    /// The object as JSON text.
    pub(crate) fn into_text(self) -> Zeroizing<String> {
        let mut text = Vec::with_capacity(self.size());
        self.write(&mut text);
        Zeroizing::new(String::from_utf8(text).unwrap_or_default())
    }

    /// Bytes of text that the object takes, or one more.
    fn size(&self) -> usize {
        let fields = self.0.iter().map(|(name, value)| name.len() + value.size() + 4);
        2 + fields.sum::<usize>()
    }

    fn write(&self, text: &mut Vec<u8>) {
        text.push(b'{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.push(b'"');
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b"\":");
            value.write(text);
        }
        text.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, Writer};

    #[test]
    fn an_object_is_written_into_a_buffer_of_the_right_size() {
        let share = [0xab; 40];
        let mut payload = Writer::default();
        payload.push("session_id", Value::json(&"a \"b\" \u{e9}"));
        payload.push("data", Value::Hex(&share));
        let mut message = Writer::of_type("share");
        message.push("payload", Value::Object(payload));
        message.push("empty", Value::Object(Writer::default()));
        let size = message.size();
        let text = message.into_text();
        let expected = format!(
            r#"{{"type":"share","payload":{{"session_id":"a \"b\" é","data":"{}"}},"empty":{{}}}}"#,
            hex::encode(share)
        );
        assert_eq!(*text, expected);
        assert!(text.len() <= size && text.capacity() == size, "{} of {size}", text.capacity());
    }
}
