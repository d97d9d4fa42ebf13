//! The imports of `src/` run one way: no file is in a circle of imports, and no folder imports one
//! above it.
//!
//! The test reads the source (`tests/imports/graph.rs` says what counts as an import). When it
//! fails, it prints the imports that make the circle. To break one, move the shared item down into
//! the file that needs nothing else, often into a new one.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "imports/graph.rs"]
mod graph;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use graph::Graph;

/// The folders of `src/` from bottom to top: each may import those in the lines above its own, and
/// itself. Folders in one line know nothing of each other.
const LAYERS: [&[&str]; 11] = [
    &["label", "sorted", "random", "wire"],
    &["frost", "identity"],
    &["agreement", "channel", "content"],
    &["group"],
    &["audit", "keystore"],
    &["api"],
    &["node"],
    &["browser", "server"],
    &["native"],
    &["lib"],
    &["bin"],
];

/// The files and folders of `src/node/` from bottom to top, in layers like [`LAYERS`]: names
/// without `.rs`, and `mod` for `node/mod.rs`.
const LAYERS_OF_NODE: [&[&str]; 6] = [
    &["presence", "config"],
    &["io"],
    &["ctx", "early"],
    &["transport", "signaling", "ceremony"],
    &["keygen", "wallet"],
    &["router", "mod"],
];

fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

fn crate_graph() -> Graph {
    let files = sources();
    Graph::read(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
}

fn read(files: &[(&'static str, &'static str)]) -> Graph {
    Graph::read(files.iter().copied())
}

/// The imports between files of the folder `within` that do not lead to a layer below. A file or
/// folder that is in no layer is an error as well. Files of one subfolder may import each other.
fn upward(graph: &Graph, layers: &[&[&str]], within: &str) -> Vec<String> {
    let layer_of = |file: &str| {
        let name = file.strip_prefix(within).unwrap_or(file);
        let listed = |entry: &&str| {
            name.trim_end_matches(".rs") == *entry || name.starts_with(&format!("{entry}/"))
        };
        layers.iter().position(|layer| layer.iter().any(listed))
    };
    let group_of = |file: &str| {
        let name = file.strip_prefix(within).unwrap_or(file);
        name.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
    };
    let mut found = Vec::new();
    for (file, imports) in graph.imports.iter().filter(|(file, _)| file.starts_with(within)) {
        let Some(layer) = layer_of(file) else {
            found.push(format!("{file} is in no layer: add it to the list"));
            continue;
        };
        for other in imports.keys().filter(|other| other.starts_with(within)) {
            let below = layer_of(other).is_some_and(|other| other < layer);
            if !below && group_of(file) != group_of(other) {
                found.push(graph.describe(file, other));
            }
        }
    }
    found
}

#[test]
fn no_file_is_in_a_circle_of_imports() {
    let graph = crate_graph();
    let circles = graph.circles();
    assert!(circles.is_empty(), "files import each other in a circle: {circles:#?}");
}

#[test]
fn no_folder_imports_one_above_it() {
    let found = upward(&crate_graph(), &LAYERS, "");
    assert!(found.is_empty(), "imports that run upwards: {found:#?}");
}

#[test]
fn no_file_of_the_node_imports_one_above_it() {
    let found = upward(&crate_graph(), &LAYERS_OF_NODE, "node/");
    assert!(found.is_empty(), "imports within node/ that run upwards: {found:#?}");
}

#[test]
fn imports_lead_to_the_file_that_defines_the_item() {
    let graph = read(&[
        ("lib.rs", "pub mod wire; pub mod node;"),
        (
            "wire/mod.rs",
            "mod ids; mod text; pub use ids::PeerId; pub use text::*; pub fn clip() {}",
        ),
        ("wire/ids.rs", "use super::clip; pub struct PeerId;"),
        ("wire/text.rs", "messages! { pub enum Message { \"a\" => A } }"),
        ("node/mod.rs", "mod core; pub use crate::wire::*; pub use core::Node; pub struct Config;"),
        (
            "node/core.rs",
            "use super::{Config, Message}; pub struct Node(crate::wire::PeerId);
             fn f() { println!(\"{}\", crate::wire::clip()); }
             #[cfg(test)] mod tests { use crate::native::Nothing; }",
        ),
    ]);
    let imports = |file: &str| graph.imports[file].keys().cloned().collect::<Vec<_>>();
    assert_eq!(imports("wire/ids.rs"), ["wire/mod.rs"]);
    assert_eq!(imports("wire/mod.rs"), [""; 0], "a folder lists its files");
    assert_eq!(
        imports("node/core.rs"),
        ["node/mod.rs", "wire/ids.rs", "wire/mod.rs", "wire/text.rs"],
    );
}

#[test]
fn circles_are_found_and_shown() {
    let graph = read(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use super::c::C; pub struct B;"),
        ("c.rs", "pub struct C(crate::a::A);"),
        ("d.rs", "use crate::a::A;"),
    ]);
    let circles = graph.circles();
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].files.iter().collect::<Vec<_>>(), ["a.rs", "b.rs", "c.rs"]);
    assert_eq!(circles[0].steps[0], "a.rs imports b.rs (b::B)");
    // A child that uses an item of its own folder's file, which uses the child.
    let graph = read(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b; use self::b::B; pub struct A(B);"),
        ("a/b.rs", "impl super::A { fn f(&self) {} } pub struct B;"),
    ]);
    assert_eq!(graph.circles().len(), 1);
}

#[test]
fn imports_that_run_upwards_are_found() {
    let graph = read(&[
        ("lib.rs", "mod wire; mod node;"),
        ("wire/mod.rs", "pub struct PeerId;"),
        ("wire/bad.rs", "use crate::node::Node;"),
        ("node/mod.rs", "use crate::wire::PeerId; pub struct Node;"),
        ("new/mod.rs", ""),
    ]);
    let found = upward(&graph, &[&["wire"], &["node"], &["lib"]], "");
    assert_eq!(
        found,
        [
            "new/mod.rs is in no layer: add it to the list",
            "wire/bad.rs imports node/mod.rs (node::Node)",
        ]
    );
}
