//! The ciphersuites in the help of commands, from their list.

use crate::frost::{Suite, SuiteInfo};

/// `secp256k1 (RFC 9591, for ...) or secp256k1-tr (...)`.
fn each(describe: impl Fn(&SuiteInfo) -> String) -> String {
    let all: Vec<String> = Suite::all().map(|suite| describe(suite.info())).collect();
    all.join(" or ")
}

/// For commands that make a key.
pub(super) fn help_to_make() -> String {
    let suites = each(|suite| format!("{} ({})", suite.name, suite.label.text));
    format!("Which signatures the key is to make: {suites}")
}

/// For commands that verify a signature.
pub(super) fn help_to_verify() -> String {
    let suites = each(|suite| format!("{} ({})", suite.name, suite.signature_format));
    format!("Which signatures the key makes: {suites}")
}

/// For the key that a signature is verified with.
pub(super) fn help_of_key() -> String {
    let x_only: Vec<&str> =
        Suite::all().filter(|suite| suite.info().bip340).map(Suite::name).collect();
    let x_only = x_only.join(" or ");
    format!("The key, as hexadecimal digits: compressed, or x-only with {x_only}")
}
