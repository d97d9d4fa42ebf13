//! Assembles `dist/extension` and `dist/www` from the static files, the shared modules and the wasm
//! module.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::module::WASM;
use crate::project::Project;
use crate::setup::qr;

/// The JavaScript of wasm-bindgen.
const SCRIPT: &str = "frostmesh.js";

/// The files of a finished folder: content by relative path, sorted.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The unpacked extension.
pub fn extension(project: &Project) -> Result<Files> {
    let www = project.root.join("www");
    let mut files = Files::new();
    add(&mut files, &project.root.join("extension"), "")?;
    add(&mut files, &www.join("ui"), "ui")?;
    add(&mut files, &www.join("node"), "node")?;
    add_made(&mut files, project)?;
    drop_unused_drawings(&mut files);
    Ok(files)
}

/// The page.
pub fn page(project: &Project) -> Result<Files> {
    let mut files = Files::new();
    add(&mut files, &project.root.join("www"), "")?;
    add(&mut files, &project.root.join("extension/_locales"), "_locales")?;
    add_made(&mut files, project)?;
    drop_unused_drawings(&mut files);
    Ok(files)
}

/// Makes a folder hold exactly these files. Leaves correct ones untouched, since a browser or a
/// server may be reading them.
pub fn write(files: &Files, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for old in list(folder)?.iter().filter(|old| !files.contains_key(*old)) {
        fs::remove_file(folder.join(old)).with_context(|| format!("removing {}", old.display()))?;
    }
    for (path, content) in files {
        let path = folder.join(path);
        if fs::read(&path).is_ok_and(|old| old == *content) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Each file below a folder, relative.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        let here = folder.join(&relative);
        for entry in fs::read_dir(&here).with_context(|| format!("reading {}", here.display()))? {
            let entry = entry?;
            let path = relative.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn add(files: &mut Files, from: &Path, to: &str) -> Result<()> {
    if !from.is_dir() {
        bail!(
            "There is no {}, which is part of the extension.\n\nWhat to do: restore it from git.",
            from.display()
        );
    }
    for path in list(from)?.iter().filter(|path| ships(path)) {
        let content =
            fs::read(from.join(path)).with_context(|| format!("reading {}", path.display()))?;
        files.insert(Path::new(to).join(path), content);
    }
    Ok(())
}

/// The files that are no sources of this project: the wasm module, the safety words, the QR codes.
fn add_made(files: &mut Files, project: &Project) -> Result<()> {
    files.insert("ui/words.js".into(), words()?);
    files.extend(qr::modules(project)?.into_iter().map(|(path, content)| (path.into(), content)));
    for name in [SCRIPT, WASM] {
        let from = project.pkg().join(name);
        let content = fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
        files.insert(Path::new("pkg").join(name), content);
    }
    Ok(())
}

/// The list of 2048 safety words: the English list of BIP-39, from the crate that the command line
/// uses.
fn words() -> Result<Vec<u8>> {
    let list = serde_json::to_string(&bip39::Language::English.word_list()[..])?;
    Ok(format!("export default {list};\n").into_bytes())
}

/// Whether a file is only for developers: types, settings of editors, notes and hidden files.
fn ships(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
    let types = text.ends_with(".d.ts") || path.starts_with("types");
    let settings = matches!(
        name.as_ref(),
        "tsconfig.json" | "jsconfig.json" | "package.json" | "package-lock.json"
    );
    let other = path.components().any(|part| part.as_os_str() == "node_modules");
    !(hidden
        || types
        || settings
        || other
        || text.ends_with(".md")
        || text.ends_with(".test.js")
        || text.ends_with(".map"))
}

/// Drops drawings that no file refers to: the sources of icons, which ship as PNG.
fn drop_unused_drawings(files: &mut Files) {
    let is = |path: &Path, kinds: &[&str]| {
        path.extension().and_then(|kind| kind.to_str()).is_some_and(|kind| kinds.contains(&kind))
    };
    let text: String = files
        .iter()
        .filter(|(path, _)| is(path, &["html", "css", "js", "json"]))
        .map(|(_, content)| String::from_utf8_lossy(content).into_owned())
        .collect();
    files.retain(|path, _| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !is(path, &["svg"]) || text.contains(name.as_ref())
    });
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Files, list, ships, write};

    #[test]
    fn a_folder_holds_exactly_what_was_written_last() {
        let folder = std::env::temp_dir().join(format!("frostmesh-dist-{}", std::process::id()));
        let files = |names: &[&str]| {
            names.iter().map(|name| (PathBuf::from(name), b"x".to_vec())).collect::<Files>()
        };
        write(&files(&["a.js", "ui/b.js"]), &folder).expect("writing");
        write(&files(&["ui/b.js", "c.js"]), &folder).expect("writing");
        let mut found = list(&folder).expect("reading");
        found.sort();
        assert_eq!(found, [PathBuf::from("c.js"), PathBuf::from("ui/b.js")]);
        std::fs::remove_dir_all(&folder).expect("removing it");
    }

    #[test]
    fn only_what_runs_ships() {
        for path in [
            "popup.html",
            "ui/view.js",
            "_locales/en/messages.json",
            "icons/128.png",
            "pkg/frostmesh_bg.wasm",
        ] {
            assert!(ships(Path::new(path)), "{path}");
        }
        for path in [
            "ui/types.d.ts",
            "types/chrome.d.ts",
            "tsconfig.json",
            ".eslintrc",
            "README.md",
            "ui/.a/b.js",
        ] {
            assert!(!ships(Path::new(path)), "{path}");
        }
    }
}
