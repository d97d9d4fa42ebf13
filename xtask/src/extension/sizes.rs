//! The sizes of the extension, against the budgets of the design.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::module::WASM;
use crate::project::Project;

/// The module after wasm-opt, gz, in bytes.
const MODULE_BUDGET: usize = 220_000;
/// The popup's HTML, JavaScript and CSS, in bytes.
const POPUP_BUDGET: usize = 40_000;

/// Sizes in bytes.
pub struct Sizes {
    compiled: usize,
    optimised: usize,
    packed: usize,
    popup: usize,
    popup_files: usize,
    later: usize,
}

impl Sizes {
    /// Measures a built extension.
    pub fn measure(project: &Project, module: &Path, extension: &Path) -> Result<Self> {
        let read =
            |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
        let optimised = read(&project.pkg().join(WASM))?;
        let mut gz = GzEncoder::new(Vec::new(), Compression::best());
        gz.write_all(&optimised)?;
        let total = |files: &BTreeSet<PathBuf>| -> Result<usize> {
            files.iter().map(|file| Ok(read(&extension.join(file))?.len())).sum()
        };
        let popup = loaded(extension, "popup.html", Imports::Static)?;
        let all = loaded(extension, "popup.html", Imports::All)?;
        Ok(Self {
            compiled: read(module)?.len(),
            optimised: optimised.len(),
            packed: gz.finish()?.len(),
            popup: total(&popup)?,
            popup_files: popup.len(),
            later: total(&all)? - total(&popup)?,
        })
    }

    /// A table for people.
    pub fn report(&self) -> String {
        let plain = |what: &str, bytes| format!("  {what:<28} {:>7.1} KB\n", kilobytes(bytes));
        let budget = |what: &str, bytes, budget| {
            format!(
                "  {what:<28} {:>7.1} KB of {:>3.0} KB   ratio {:.2}{}\n",
                kilobytes(bytes),
                kilobytes(budget),
                kilobytes(bytes) / kilobytes(budget),
                if bytes > budget { "   OVER BUDGET" } else { "" }
            )
        };
        [
            plain("module as compiled", self.compiled),
            plain("after wasm-opt", self.optimised),
            budget("after wasm-opt, gz", self.packed, MODULE_BUDGET),
            budget(&format!("popup, {} files", self.popup_files), self.popup, POPUP_BUDGET),
            plain("popup, loaded when needed", self.later),
        ]
        .concat()
    }

    /// The ratios in one line.
    pub fn note(&self) -> String {
        let ratio = |bytes, budget| kilobytes(bytes) / kilobytes(budget);
        let (module, popup) = (ratio(self.packed, MODULE_BUDGET), ratio(self.popup, POPUP_BUDGET));
        format!("of budget: wasm {module:.2}, popup {popup:.2}")
    }

    /// Whether the module is at most 110 % over its budget, and the popup at most 10 %. The budgets
    /// are goals, which are printed; these are the limits (docs/decisions/costs.md).
    pub fn within_limits(&self) -> bool {
        let fits = |bytes: usize, limit: usize| bytes <= limit;
        fits(self.packed, MODULE_BUDGET + MODULE_BUDGET * 11 / 10)
            && fits(self.popup, POPUP_BUDGET + POPUP_BUDGET / 10)
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn kilobytes(bytes: usize) -> f64 {
    bytes as f64 / 1000.0
}

/// Which imports of a script count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Imports {
    /// Static imports, without which it does not start.
    Static,
    /// Also dynamic imports, which `import()` loads when they are needed.
    All,
}

/// A page and all scripts and styles that it loads, directly or by import.
fn loaded(folder: &Path, page: &str, imports: Imports) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![PathBuf::from(page)];
    while let Some(file) = waiting.pop() {
        if !found.insert(file.clone()) {
            continue;
        }
        let path = folder.join(&file);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("reading {}, which {page} loads", path.display()))?;
        let base = file.parent().unwrap_or(Path::new(""));
        for name in references(&text, imports) {
            let target = name
                .strip_prefix('/')
                .map_or_else(|| resolve(base, name), |name| resolve(Path::new(""), name));
            let counts = target.extension().is_some_and(|kind| kind == "js" || kind == "css");
            if counts && folder.join(&target).is_file() {
                waiting.push(target);
            }
        }
    }
    Ok(found)
}

/// Every quoted text that could name a script or a style: in attributes, imports, `@import` and
/// `url()`. Some may be in comments or name files that do not exist. The caller removes these.
fn references(text: &str, imports: Imports) -> impl Iterator<Item = &str> {
    let parts =
        text.split("import(").enumerate().map(move |(place, part)| match part.split_once(')') {
            Some((_, rest)) if place > 0 && imports == Imports::Static => rest,
            _ => part,
        });
    let words = parts.flat_map(|part| part.split(['"', '\'', '`', '(', ')', '\n']));
    words.filter(|word| {
        (word.ends_with(".js") || word.ends_with(".css")) && !word.contains([' ', ':'])
    })
}

fn resolve(base: &Path, name: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in base.join(name).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(part) => path.push(part),
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Imports, references, resolve};

    #[test]
    fn references_are_found_in_pages_scripts_and_styles() {
        let text = "<link href=\"popup.css\"><script type=module src='./popup.js'></script>\nimport { a } from \
                    \"../ui/a.js\";\n@import url(\"b.css\");\nconst text = \"no script at all\";";
        let found: Vec<&str> = references(text, Imports::All).collect();
        assert_eq!(found, ["popup.css", "./popup.js", "../ui/a.js", "b.css"]);
    }

    #[test]
    fn what_is_imported_when_needed_is_told_apart() {
        let text =
            "import { a } from \"./a.js\";\nlater(() => import(\"./b.js\").then(use(\"./c.js\")));";
        assert_eq!(references(text, Imports::Static).collect::<Vec<_>>(), ["./a.js", "./c.js"]);
        assert_eq!(
            references(text, Imports::All).collect::<Vec<_>>(),
            ["./a.js", "./b.js", "./c.js"]
        );
    }

    #[test]
    fn references_are_relative_to_their_file() {
        assert_eq!(resolve(Path::new("ui"), "../pkg/./x.js"), PathBuf::from("pkg/x.js"));
    }
}
