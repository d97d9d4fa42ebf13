//! The macro that declares commands. One declaration yields the enum, its JSON reader, its JSON
//! writer and its TypeScript, so that the command line, the control socket, the browser and the
//! user interface cannot differ.
//!
//! A reader of its own instead of serde's derive: a derived tagged enum took 20 KB of the wasm
//! module.

/// Declares an enum of commands: each with its name in JSON, and its fields with the values that
/// stand in where JSON leaves one out. `: Serialize` adds the writer; commands with secrets go
/// without.
///
/// ```text
/// commands! {
///     /// A command of a person.
///     pub enum Command: Serialize {
///         /// Rename a contact.
///         "rename_contact" => RenameContact {
///             /// Which.
///             who: String,
///             /// The new name.
///             name: String = String::new(),
///         },
///     }
/// }
/// ```
macro_rules! commands {
    ($(#[$meta:meta])* pub enum $name:ident: Serialize { $($body:tt)* }) => {
        commands! { $(#[$meta])* pub enum $name { $($body)* } }
        commands! { @serialize $name { $($body)* } }
    };
    ($(#[$meta:meta])* pub enum $name:ident { $(
        $(#[$doc:meta])* $kind:literal => $variant:ident $({ $(
            $(#[$field_doc:meta])* $field:ident: $type:ty $(= $default:expr)?
        ),* $(,)? })?
    ),* $(,)? }) => {
        $(#[$meta])*
        pub enum $name { $(
            $(#[$doc])*
            $variant $({ $( $(#[$field_doc])* $field: $type ),* })?
        ),* }

        impl $name {
            /// Reads the command of this name. `None` when there is none.
            ///
            /// # Errors
            /// A field is missing, or has no valid value.
            pub fn read(
                kind: &str,
                #[allow(unused_variables)] // where no command has a field
                fields: &dyn $crate::api::Fields,
            ) -> Result<Option<Self>, $crate::api::Refusal> {
                Ok(Some(match kind {
                    $( $kind => Self::$variant { $( $(
                        $field: commands!(@read kind, fields, $field: $type $(= $default)?)
                    ),* )? }, )*
                    _ => return Ok(None),
                }))
            }

            /// The command's name in JSON.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $kind ),* }
            }

            /// The declaration in TypeScript.
            #[cfg(test)]
            pub(in crate::api) fn typescript() -> String {
                let mut text = format!("export type {} =", stringify!($name));
                $(
                    #[allow(unused_mut)] // where a command has no fields
                    let mut fields = vec![format!("type: \"{}\"", $kind)];
                    $( $( fields.push(<$type as $crate::api::Field>::typescript(
                        stringify!($field),
                        commands!(@has_default $($default)?),
                    )); )* )?
                    text.push_str(&$crate::api::types::docs(&[$(stringify!($doc)),*]));
                    text.push_str(&format!("\n  | {{ {} }}", fields.join("; ")));
                )*
                text + ";\n"
            }
        }
    };
    (@serialize $name:ident { $(
        $(#[$doc:meta])* $kind:literal => $variant:ident $({ $(
            $(#[$field_doc:meta])* $field:ident: $type:ty $(= $default:expr)?
        ),* $(,)? })?
    ),* $(,)? }) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("type", self.kind())?;
                match self { $(
                    Self::$variant { $( $( $field ),* )? } => {
                        $( $( $crate::api::WriteField::write($field, stringify!($field), &mut map)?; )* )?
                    }
                )* }
                map.end()
            }
        }
    };
    (@read $kind:ident, $fields:ident, $field:ident: $type:ty = $default:expr) => {
        <$type as $crate::api::Field>::read($fields, stringify!($field))?
            .unwrap_or_else(|| $default)
    };
    (@read $kind:ident, $fields:ident, $field:ident: $type:ty) => {
        match <$type as $crate::api::Field>::read($fields, stringify!($field))? {
            Some(value) => value,
            None => return Err($crate::api::missing($kind, stringify!($field))),
        }
    };
    (@has_default $default:expr) => { true };
    (@has_default) => { false };
}
