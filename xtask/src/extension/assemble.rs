//! Puts together `dist/extension` and `dist/www` from the static files, the shared modules and the wasm module.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::module::WASM;
use crate::project::Project;

/// The JavaScript that wasm-bindgen makes.
const SCRIPT: &str = "frostmesh.js";

/// Makes the unpacked extension; returns its files, relative and sorted.
pub fn extension(project: &Project, to: &Path) -> Result<BTreeSet<PathBuf>> {
    let www = project.root.join("www");
    begin(to)?;
    copy(&project.root.join("extension"), to)?;
    copy(&www.join("ui"), &to.join("ui"))?;
    copy(&www.join("node"), &to.join("node"))?;
    module(project, &to.join("pkg"))?;
    finish(to)
}

/// Makes the page; returns its files, relative and sorted.
pub fn page(project: &Project, to: &Path) -> Result<BTreeSet<PathBuf>> {
    begin(to)?;
    copy(&project.root.join("www"), to)?;
    copy(&project.root.join("extension/_locales"), &to.join("_locales"))?;
    module(project, &to.join("pkg"))?;
    finish(to)
}

/// Each file below a folder, relative and sorted.
pub fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        let here = folder.join(&relative);
        for entry in fs::read_dir(&here).with_context(|| format!("reading {}", here.display()))? {
            let entry = entry?;
            let path = relative.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

/// An empty folder: nothing of an earlier build may ship.
fn begin(to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("removing {}", to.display()))?;
    }
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        bail!("There is no {}, which is part of the extension.\n\nWhat to do: restore it from git.", from.display());
    }
    for relative in files(from)?.iter().filter(|path| ships(path)) {
        let target = to.join(relative);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from.join(relative), &target).with_context(|| format!("copying {}", relative.display()))?;
    }
    Ok(())
}

fn module(project: &Project, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for name in [SCRIPT, WASM] {
        let from = project.pkg().join(name);
        fs::copy(&from, to.join(name)).with_context(|| format!("copying {}", from.display()))?;
    }
    Ok(())
}

/// Types, settings of editors, notes and hidden files are for whoever works on the sources.
fn ships(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
    let types = text.ends_with(".d.ts") || path.starts_with("types");
    let settings = matches!(name.as_ref(), "tsconfig.json" | "jsconfig.json" | "package.json" | "package-lock.json");
    let other = path.components().any(|part| part.as_os_str() == "node_modules");
    !(hidden
        || types
        || settings
        || other
        || text.ends_with(".md")
        || text.ends_with(".test.js")
        || text.ends_with(".map"))
}

/// Drops drawings that nothing refers to: the sources of icons, which ship as PNG.
fn finish(to: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut all = files(to)?;
    let is = |path: &Path, kinds: &[&str]| {
        path.extension().and_then(|kind| kind.to_str()).is_some_and(|kind| kinds.contains(&kind))
    };
    let mut text = String::new();
    for path in all.iter().filter(|path| is(path, &["html", "css", "js", "json"])) {
        text += &fs::read_to_string(to.join(path)).with_context(|| format!("reading {}", path.display()))?;
    }
    let unused = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        is(path, &["svg"]) && !text.contains(name.as_ref())
    };
    for path in all.iter().filter(|path| unused(path)) {
        fs::remove_file(to.join(path))?;
    }
    all.retain(|path| !unused(path));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::ships;

    #[test]
    fn only_what_runs_ships() {
        for path in ["popup.html", "ui/view.js", "_locales/en/messages.json", "icons/128.png", "pkg/frostmesh_bg.wasm"]
        {
            assert!(ships(Path::new(path)), "{path}");
        }
        for path in ["ui/types.d.ts", "types/chrome.d.ts", "tsconfig.json", ".eslintrc", "README.md", "ui/.a/b.js"] {
            assert!(!ships(Path::new(path)), "{path}");
        }
    }
}
