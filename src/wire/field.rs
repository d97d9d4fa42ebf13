//! Fields: whether a message needs one, and what becomes of one that is missing or of another form.
//!
//! A declaration of messages names one of these types for each field, with a [`Codec`] for its
//! value; [`Json`] is the codec where none is named (see [`super::message::messages`]).

use std::marker::PhantomData;

use super::codec::{Codec, Json};
use super::object::Object;
use super::writer::{Value, Writer};
use super::{SessionId, WireError};

/// Reads a field of a message into a Rust type, and writes it.
pub(crate) trait Field<T> {
    /// Reads the field `name` of a message of type `kind`.
    ///
    /// # Errors
    /// [`WireError`] names the field.
    fn read(object: &Object<'_>, kind: &'static str, name: &'static str) -> Result<T, WireError>;

    /// Adds the field to the message.
    fn write<'a>(value: &'a T, name: &'static str, message: &mut Writer<'a>);

    /// Adds the names that the field has in the JSON object: its own, unless it is [`Flat`].
    fn names(name: &'static str, names: &mut Vec<&'static str>) {
        names.push(name);
    }

    /// The session that the field names. `None` for every field that is no [`Session`].
    fn session_id(_: &T) -> Option<&SessionId> {
        None
    }
}

/// A field that its message needs.
pub(crate) struct Required<C = Json>(PhantomData<C>);

impl<T, C: Codec<T>> Field<T> for Required<C> {
    fn read(object: &Object<'_>, kind: &'static str, name: &'static str) -> Result<T, WireError> {
        C::read(object.value(kind, name)?, name)
    }

    fn write<'a>(value: &'a T, name: &'static str, message: &mut Writer<'a>) {
        message.push(name, C::write(value));
    }
}

/// A field that may be missing. It is an error if its value has another form.
pub(crate) struct Optional<C = Json>(PhantomData<C>);

impl<T, C: Codec<T>> Field<Option<T>> for Optional<C> {
    fn read(
        object: &Object<'_>,
        _: &'static str,
        name: &'static str,
    ) -> Result<Option<T>, WireError> {
        object.raw(name)?.map(|raw| C::read(raw, name)).transpose()
    }

    fn write<'a>(value: &'a Option<T>, name: &'static str, message: &mut Writer<'a>) {
        if let Some(value) = value {
            message.push(name, C::write(value));
        }
    }
}

/// A field of an extension. A value of another form belongs to another extension of that name and
/// counts as missing.
pub(crate) struct Lenient<C = Json>(PhantomData<C>);

impl<T, C: Codec<T>> Field<Option<T>> for Lenient<C> {
    fn read(
        object: &Object<'_>,
        _: &'static str,
        name: &'static str,
    ) -> Result<Option<T>, WireError> {
        Ok(object.raw(name)?.and_then(|raw| C::read(raw, name).ok()))
    }

    fn write<'a>(value: &'a Option<T>, name: &'static str, message: &mut Writer<'a>) {
        Optional::<C>::write(value, name, message);
    }
}

/// A field that is read as the default of its type where it is missing, and not written where it
/// has that value.
pub(crate) struct OrDefault<C = Json>(PhantomData<C>);

impl<T: Default + PartialEq, C: Codec<T>> Field<T> for OrDefault<C> {
    fn read(object: &Object<'_>, _: &'static str, name: &'static str) -> Result<T, WireError> {
        object.raw(name)?.map_or_else(|| Ok(T::default()), |raw| C::read(raw, name))
    }

    fn write<'a>(value: &'a T, name: &'static str, message: &mut Writer<'a>) {
        if *value != T::default() {
            message.push(name, C::write(value));
        }
    }
}

/// A field that may be missing, and is written as `null` then.
pub(crate) struct Nullable<C = Json>(PhantomData<C>);

impl<T, C: Codec<T>> Field<Option<T>> for Nullable<C> {
    fn read(
        object: &Object<'_>,
        kind: &'static str,
        name: &'static str,
    ) -> Result<Option<T>, WireError> {
        Optional::<C>::read(object, kind, name)
    }

    fn write<'a>(value: &'a Option<T>, name: &'static str, message: &mut Writer<'a>) {
        message.push(name, value.as_ref().map_or(Value::Json("null".into()), C::write));
    }
}

/// The session that a message belongs to.
pub(crate) struct Session;

impl Field<SessionId> for Session {
    fn read(
        object: &Object<'_>,
        kind: &'static str,
        name: &'static str,
    ) -> Result<SessionId, WireError> {
        <Required as Field<SessionId>>::read(object, kind, name)
    }

    fn write<'a>(value: &'a SessionId, name: &'static str, message: &mut Writer<'a>) {
        <Required as Field<SessionId>>::write(value, name, message);
    }

    fn session_id(value: &SessionId) -> Option<&SessionId> {
        Some(value)
    }
}

impl Field<Option<SessionId>> for Session {
    fn read(
        object: &Object<'_>,
        kind: &'static str,
        name: &'static str,
    ) -> Result<Option<SessionId>, WireError> {
        <Optional as Field<Option<SessionId>>>::read(object, kind, name)
    }

    fn write<'a>(value: &'a Option<SessionId>, name: &'static str, message: &mut Writer<'a>) {
        <Optional as Field<Option<SessionId>>>::write(value, name, message);
    }

    fn session_id(value: &Option<SessionId>) -> Option<&SessionId> {
        value.as_ref()
    }
}

/// Several fields of a message that are one value in Rust. Declared by [`super::message::fields`].
pub(crate) trait FieldSet: Sized {
    /// Reads the fields of a message of type `kind`.
    ///
    /// # Errors
    /// [`WireError`] names the field.
    fn read(object: &Object<'_>, kind: &'static str) -> Result<Self, WireError>;

    /// Adds the fields to the message.
    fn write<'a>(&'a self, message: &mut Writer<'a>);

    /// Adds the names of the fields.
    fn names(names: &mut Vec<&'static str>);

    /// The session that one of the fields names.
    fn session_id(&self) -> Option<&SessionId>;
}

/// A [`FieldSet`] whose fields stand among the others of the message.
pub(crate) struct Flat;

impl<T: FieldSet> Field<T> for Flat {
    fn read(object: &Object<'_>, kind: &'static str, _: &'static str) -> Result<T, WireError> {
        T::read(object, kind)
    }

    fn write<'a>(value: &'a T, _: &'static str, message: &mut Writer<'a>) {
        value.write(message);
    }

    fn names(_: &'static str, names: &mut Vec<&'static str>) {
        T::names(names);
    }

    fn session_id(value: &T) -> Option<&SessionId> {
        value.session_id()
    }
}
