//! The documents name tests: each has to be there, under that name.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

/// What stands between back-quotes in a document of the project.
fn quoted(document: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether a test named as `file::function` or `file: words of the title` exists.
fn exists(named: &str) -> bool {
    let read = |file: &str| {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default()
    };
    match (named.split_once(".rs::"), named.split_once(".mjs: ")) {
        (Some((file, function)), _) => {
            read(&format!("{file}.rs")).contains(&format!("fn {function}("))
        }
        (_, Some((file, title))) => read(&format!("{file}.mjs")).contains(&format!("(\"{title}")),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join(named).exists(),
    }
}

#[test]
fn every_test_that_a_claim_names_is_there() {
    let named: Vec<String> =
        quoted("SECURITY.md").into_iter().filter(|text| text.starts_with("tests/")).collect();
    assert!(named.len() > 20, "only {} tests are named", named.len());
    let missing: Vec<&String> = named.iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "SECURITY.md names tests that are not there: {missing:#?}");
}

#[test]
fn a_test_that_is_not_there_is_found_out() {
    assert!(exists("tests/documents.rs::a_test_that_is_not_there_is_found_out"));
    assert!(!exists("tests/documents.rs::a_test_that_was_renamed"));
    assert!(!exists("tests/e2e/cli.test.mjs: a title that nobody wrote"));
}
