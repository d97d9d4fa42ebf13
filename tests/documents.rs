//! What the documents name exists: tests, files, links, records. And the words that
//! docs/GLOSSARY.md has retired do not come back.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders at the root of the project. A text between back-quotes that begins with one is a path.
const FOLDERS: [&str; 9] =
    ["src/", "tests/", "docs/", "www/", "extension/", "examples/", "benches/", "fuzz/", "xtask/"];

/// What stands in a path for a name that the reader chooses.
const PLACEHOLDERS: [&str; 4] = ["NAME", "LANGUAGE", "*", "NNNN"];

/// Words that are not used any more, and the files where they still stand: as names on the wire or
/// on disk, or in hash tags. A word counts in any spelling, also as part of a longer one.
const RETIRED: [(&str, &[&str]); 6] = [
    ("circle", &["src/group/request.rs"]),
    ("pledge", &[]),
    ("holdings", &["src/group/message.rs", "src/wire/message.rs"]),
    ("neighbour", &[]),
    ("few::", &[]),
    ("how manieth", &[]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_default()
}

/// The files of a folder and its folders, as paths from the root.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if path.is_file() {
                let path = path.strip_prefix(root()).unwrap();
                found.push(path.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// The documents for people who work on the project.
fn documents() -> Vec<String> {
    let at_root = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"];
    let in_docs = files("docs").into_iter().filter(|file| file.ends_with(".md"));
    at_root.map(str::to_owned).into_iter().chain(in_docs).collect()
}

/// A document without its blocks of code.
fn prose(document: &str) -> String {
    read(document).split("```").step_by(2).collect()
}

/// What stands between back-quotes in a document.
fn quoted(document: &str) -> Vec<String> {
    prose(document).split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether something that a document names exists: `file`, `folder/`, `file::function`, or
/// `file: words of the title of a test`.
fn exists(named: &str) -> bool {
    match (named.split_once(".rs::"), named.split_once(".mjs: ")) {
        (Some((file, function)), _) => {
            read(&format!("{file}.rs")).contains(&format!("fn {function}("))
        }
        (_, Some((file, title))) => read(&format!("{file}.mjs")).contains(&format!("(\"{title}")),
        _ => root().join(named).exists(),
    }
}

/// Whether a text between back-quotes is a path of the project, or a file of Rust without its
/// folder.
fn is_path(text: &str) -> bool {
    let from_root = FOLDERS.iter().any(|folder| text.starts_with(folder));
    let placeholder = PLACEHOLDERS.iter().any(|name| text.contains(name));
    let file_name = text.ends_with(".rs") && !text.contains(['/', ' ']);
    (from_root || file_name) && !placeholder
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

#[test]
fn every_path_that_a_document_names_is_there() {
    let sources: Vec<String> = ["src", "tests"].into_iter().flat_map(files).collect();
    let is_file_name = |name: &str| sources.iter().any(|file| file.ends_with(&format!("/{name}")));
    let (mut checked, mut missing) = (0, Vec::new());
    for document in documents() {
        for text in quoted(&document).into_iter().filter(|text| is_path(text)) {
            checked += 1;
            if !exists(&text) && !is_file_name(&text) {
                missing.push(format!("{document}: {text}"));
            }
        }
    }
    assert!(checked > 100, "only {checked} paths were found");
    assert!(missing.is_empty(), "documents name files that are not there: {missing:#?}");
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let (mut checked, mut broken) = (0, Vec::new());
    for document in documents() {
        let folder = root().join(&document);
        let folder = folder.parent().unwrap();
        let text = prose(&document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            checked += 1;
            if !folder.join(target.split('#').next().unwrap()).exists() {
                broken.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(checked > 30, "only {checked} links were found");
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

/// The paths in the list of files that every how-to begins with.
fn files_of_how_to(page: &str) -> Vec<String> {
    let text = read(page);
    let list = text.split("## Files\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    let lines = list.unwrap_or_default().lines().filter(|line| line.starts_with("- `"));
    lines.filter_map(|line| line.split('`').nth(1)).map(str::to_owned).collect()
}

#[test]
fn every_how_to_lists_its_files() {
    let pages = files("docs/howto");
    assert!(pages.len() >= 6, "{pages:?}");
    for page in pages {
        let listed = files_of_how_to(&page);
        assert!(!listed.is_empty(), "{page} has no list of files");
        for path in listed {
            // Of a new file its folder is there.
            let there = match path.rsplit_once('/') {
                Some((folder, name)) if name.contains("NAME") => exists(folder),
                _ => exists(&path),
            };
            assert!(there, "{page} lists {path}, which is not there");
        }
    }
}

#[test]
fn every_record_of_a_decision_is_in_the_index() {
    let index = read("docs/decisions/README.md");
    let mut numbers = BTreeSet::new();
    for path in files("docs/decisions") {
        let name = path.rsplit('/').next().unwrap();
        let Some((number, _)) = name.split_once('-') else { continue };
        let text = read(&path);
        let title = text.lines().next().unwrap().trim_start_matches("# ");
        let line = format!("| [{number}]({name}) | {title} |");
        assert!(index.contains(&line), "docs/decisions/README.md lacks: {line}");
        assert!(numbers.insert(number.to_owned()), "two records have the number {number}");
        for part in ["**Problem.**", "**Choice.**", "**Consequence.**"] {
            assert!(text.contains(part), "{path} has no {part}");
        }
    }
    assert!(numbers.len() >= 15, "only {} records", numbers.len());
}

#[test]
fn every_file_of_tests_is_explained() {
    let guide = read("CONTRIBUTING.md");
    let tests = fs::read_dir(root().join("tests")).unwrap().map(|entry| entry.unwrap().file_name());
    for name in tests.map(|name| name.into_string().unwrap()) {
        if name.ends_with(".rs") {
            let path = format!("`tests/{name}`");
            assert!(guide.contains(&path), "CONTRIBUTING.md does not say what {path} is for");
        }
    }
}

/// The lines of a text that use a retired word, where the file may not.
fn retired(file: &str, text: &str) -> Vec<String> {
    let forbidden = RETIRED.iter().filter(|(_, allowed)| !allowed.contains(&file));
    let words: Vec<&str> = forbidden.map(|(word, _)| *word).collect();
    let uses = |line: &str| words.iter().any(|word| line.to_lowercase().contains(word));
    let lines = text.lines().zip(1..).filter(|(line, _)| uses(line));
    lines.map(|(line, number)| format!("{file}:{number}: {}", line.trim())).collect()
}

#[test]
fn retired_words_do_not_come_back() {
    let sources = files("src");
    let found: Vec<String> = sources.iter().flat_map(|file| retired(file, &read(file))).collect();
    assert!(found.is_empty(), "docs/GLOSSARY.md has other words for these: {found:#?}");
    for (word, allowed) in RETIRED {
        for file in allowed {
            let still = read(file).to_lowercase().contains(word);
            assert!(still, "{file} does not use '{word}' any more: take it out of the list");
        }
    }
}

#[test]
fn a_retired_word_is_found_out() {
    assert_eq!(retired("src/x.rs", "a\nstruct Circle;"), ["src/x.rs:2: struct Circle;"]);
    assert!(retired("src/group/request.rs", "\"frostmesh/circle\"").is_empty());
}
