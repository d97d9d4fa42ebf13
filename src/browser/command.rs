//! Reads the commands of JavaScript: plain objects with a `type`, as [`Command`] and
//! [`KeystoreCommand`] declare them. Errors reach JavaScript as an `Error` with a `code`.

use js_sys::{Array, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::driver::Driver;
use crate::api::{
    Command, Fields, KeystoreCommand, MAX_NUMBER, Refusal, WrongKind, missing, unknown_command,
};
use crate::frost::GroupKey;

/// A command of the user interface.
pub(super) enum UiCommand {
    /// The surface carries it out itself.
    Keystore(KeystoreCommand),
    /// The node carries it out.
    Node(Command),
}

impl UiCommand {
    /// Reads a plain object with a `type`.
    ///
    /// # Errors
    /// There is no such command, a field is missing, or one has no valid value.
    pub(super) fn read(object: &JsValue, driver: &Driver) -> Result<Self, Refusal> {
        let fields = JsFields { object, driver };
        let kind = fields.text("type").ok().flatten().ok_or_else(|| missing("command", "type"))?;
        if let Some(command) = KeystoreCommand::read(&kind, &fields)? {
            return Ok(Self::Keystore(command));
        }
        let command = Command::read(&kind, &fields)?;
        command.map(Self::Node).ok_or_else(|| unknown_command(&kind))
    }
}

/// The fields of a JavaScript object.
struct JsFields<'a> {
    object: &'a JsValue,
    driver: &'a Driver,
}

impl JsFields<'_> {
    fn value<T>(
        &self,
        name: &str,
        read: impl FnOnce(JsValue) -> Option<T>,
    ) -> Result<Option<T>, WrongKind> {
        let value = Reflect::get(self.object, &name.into()).map_err(|_| WrongKind)?;
        if value.is_null() || value.is_undefined() {
            return Ok(None);
        }
        read(value).map(Some).ok_or(WrongKind)
    }
}

impl Fields for JsFields<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, WrongKind> {
        self.value(name, |value| value.as_string())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, WrongKind> {
        self.value(name, |value| {
            let number = value.as_f64()?;
            // A whole number of up to 53 bits has the same value in both types.
            #[allow(clippy::cast_precision_loss)]
            let whole = number.trunc() == number && (0.0..=MAX_NUMBER as f64).contains(&number);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            whole.then_some(number as u64)
        })
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, WrongKind> {
        self.value(name, |value| value.as_bool())
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, WrongKind> {
        self.value(name, |value| {
            value.dyn_ref::<Array>()?.iter().map(|each| each.as_string()).collect()
        })
    }

    fn group_key(&self, pubkey: &str) -> Option<GroupKey> {
        self.driver.group_key(pubkey)
    }
}

/// An `Error` with a `code`.
impl From<Refusal> for JsValue {
    fn from(refusal: Refusal) -> Self {
        let error = js_sys::Error::new(&refusal.message);
        let _ = Reflect::set(&error, &"code".into(), &refusal.code.name().into());
        error.into()
    }
}
