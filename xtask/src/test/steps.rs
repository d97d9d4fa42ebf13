//! The steps of the suite. A step fails if its check fails, or if it had nothing to check.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::{Suite, count};
use crate::extension::{self, Built};
use crate::fuzz;
use crate::project::{Project, cargo};
use crate::run::{self, Advise, Log};
use crate::setup::wasm_rust::TARGET;

/// Folders of suites and kinds: one file each.
const LISTED: [&str; 2] = ["src/frost/suites", "src/content/kinds"];

/// Crates that must not be part of the module, which has neither sockets nor threads.
const NATIVE_ONLY: [&str; 4] = ["tokio", "mio", "axum", "str0m"];

pub fn format(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let mut fmt = at_root(suite.project, cargo());
        fmt.args(["fmt", "--all", "--check", "--manifest-path", manifest]);
        log.run(&mut fmt).advise(format!("run `cargo fmt --all --manifest-path {manifest}`."))?;
    }
    // Macros declare the modules of these folders, into which `cargo fmt` does not look.
    let mut files = Vec::new();
    for folder in LISTED {
        files.extend(files_of(&suite.project.root.join(folder), ".rs")?);
    }
    let mut fmt = at_root(suite.project, Command::new("rustfmt"));
    log.run(fmt.args(["--check", "--edition", "2024"]).args(&files))
        .advise(format!("run `rustfmt --edition 2024` with the files of {}.", LISTED.join(" and ")))
}

/// What TypeScript's compiler checks, each folder with its tsconfig.json.
const TYPED: [&str; 2] = ["www", "tests/e2e"];

/// The UI (www/ui/api.d.ts has the types of src/api), both surfaces of it, and the end-to-end
/// tests.
pub fn types(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    for folder in TYPED {
        let mut tsc = suite.tools.wasm.node.command("node")?;
        tsc.current_dir(&suite.project.root).args([
            "tests/e2e/node_modules/typescript/bin/tsc",
            "--project",
            folder,
            "--noEmit",
        ]);
        log.run(&mut tsc).advise(
            "mend the types named above. Those of the node's snapshot, commands and events come from src/api: \
             `FROSTMESH_WRITE=1 cargo test api_types` writes them anew.",
        )?;
    }
    Ok(())
}

pub fn clippy(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    let mut clippy = at_root(suite.project, cargo());
    log.run(clippy.args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

pub fn clippy_wasm(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    let mut clippy = suite.tools.wasm.rust.command(suite.project, "cargo")?;
    clippy.args([
        "clippy",
        "--locked",
        "--package",
        "frostmesh",
        "--target",
        TARGET,
        "--lib",
        "--tests",
    ]);
    log.run(clippy.args(["--", "-D", "warnings"]))
}

pub fn native(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    log.run(at_root(suite.project, cargo()).args([
        "test",
        "--locked",
        "--workspace",
        "--no-fail-fast",
    ]))?;
    some_tests(log)
}

pub fn fuzz(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    fuzz::build(suite.project, log)?;
    let targets = fuzz::targets(suite.project)?;
    let mut inputs = 0;
    for target in &targets {
        inputs += fuzz::run(suite.project, target, 6, log)?;
    }
    log.note(format!("{} targets, {inputs} inputs", targets.len()));
    Ok(())
}

pub fn wasm_tree(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    let mut tree = at_root(suite.project, cargo());
    tree.args([
        "tree",
        "--locked",
        "--package",
        "frostmesh",
        "--target",
        TARGET,
        "--edges",
        "normal",
    ]);
    let tree = run::output(tree.args(["--prefix", "none", "--format", "{p}"]))?;
    // `cargo tree` marks repeats, so only name and version count.
    let mut packages: Vec<(&str, &str)> = tree
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or_default()))
        .collect();
    packages.sort_unstable();
    packages.dedup();
    let intruders: Vec<&str> =
        packages.iter().map(|(name, _)| *name).filter(|name| NATIVE_ONLY.contains(name)).collect();
    if !intruders.is_empty() {
        bail!("The wasm module depends on {}.", intruders.join(", "));
    }
    let sources: Vec<&str> =
        packages.iter().filter(|(name, _)| *name == "getrandom").map(|(_, v)| *v).collect();
    if sources.len() != 1 {
        return Err(anyhow!(
            "The wasm module has {} versions of getrandom ({}).",
            sources.len(),
            sources.join(", ")
        ))
        .advise(format!(
            "see who asks for it: `cargo tree --target {TARGET} --invert getrandom@VERSION`."
        ));
    }
    log.note(format!("{} packages, one getrandom", packages.len()));
    Ok(())
}

pub fn extension(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    let first = built(suite, log)?;
    // A second build in another folder, from the sources alone: it depends neither on this folder
    // nor on earlier builds.
    let again = suite.project.at(suite.project.scratch().join("again"));
    copy_sources(&suite.project.root, &again.root)?;
    let second = extension::build(&again, &suite.tools.wasm, log)?;
    let (one, two) = (fs::read(&first.zip)?, fs::read(&second.zip)?);
    if one != two {
        bail!(
            "Building twice made two different files: {} and {}.\n\nWhat to do: unpack both and compare; if it is the \
             module, a path of the machine is in it or the build reads the time.",
            suite.project.show(&first.zip),
            suite.project.show(&second.zip)
        );
    }
    if !first.sizes.within_limits() {
        bail!("What ships is far too large:\n\n{}", first.sizes.report());
    }
    log.note(first.sizes.note());
    Ok(())
}

pub fn wasm(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    let project = suite.project;
    let browser = &suite.tools.browser;
    let mut test = suite.tools.wasm.rust.command(project, "cargo")?;
    // All other tests are native and compile to nothing here.
    test.args([
        "test",
        "--locked",
        "--package",
        "frostmesh",
        "--target",
        TARGET,
        "--test",
        "browser",
    ]);
    if let Some(driver) = &browser.driver {
        test.env("CHROMEDRIVER", driver);
    }
    test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner")
        .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities(project, &browser.chrome)?)
        .env("WASM_BINDGEN_TEST_TIMEOUT", "300");
    log.run(&mut test)?;
    some_tests(log)
}

pub fn interop(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    let folder = suite.project.root.join("tests/interop");
    let mut node = suite.tools.wasm.node.command("node")?;
    node.current_dir(&folder).args(["--test", "--test-reporter=spec"]).args(test_files(&folder)?);
    log.run(&mut node)?;
    some_tests(log)
}

pub fn end_to_end(suite: &Suite<'_>, log: &mut Log) -> Result<()> {
    let project = suite.project;
    let built = built(suite, log)?;
    // The command of the native tests, which builds the program as well, so that nothing is
    // compiled twice.
    log.run(at_root(project, cargo()).args(["test", "--locked", "--workspace", "--no-run"]))?;
    let mut node = suite.tools.wasm.node.command("node")?;
    // One file at a time, since browsers slow each other down.
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=1", "--test-timeout=600000"]);
    node.args(test_files(&project.root.join("tests/e2e"))?);
    node.current_dir(&project.root)
        .env("FROSTMESH_BIN", project.program("debug"))
        .env(
            "FROSTMESH_DIST",
            built.extension.parent().context("the extension stands in no folder")?,
        )
        .env("CHROME", &suite.tools.browser.chrome);
    log.run(&mut node)?;
    some_tests(log)
}

/// The built extension. The first step that needs it builds it.
fn built<'a>(suite: &'a Suite<'_>, log: &mut Log) -> Result<&'a Built> {
    if suite.built.get().is_none() {
        let built = extension::build(suite.project, &suite.tools.wasm, log)?;
        // It was empty and this is the only thread, so this succeeds.
        let _ = suite.built.set(built);
    }
    suite.built.get().context("the extension was not built")
}

fn at_root(project: &Project, mut command: Command) -> Command {
    command.current_dir(&project.root);
    command
}

/// Fails if the step ran no test.
fn some_tests(log: &Log) -> Result<()> {
    let counted = count::tests(&log.text());
    if counted.is_empty() || counted.starts_with("0 passed") {
        bail!("No test ran.")
    } else {
        Ok(())
    }
}

/// The test files of a folder, sorted.
fn test_files(folder: &Path) -> Result<Vec<PathBuf>> {
    files_of(folder, ".test.mjs")
}

/// The files of a folder whose names end so, sorted.
fn files_of(folder: &Path, end: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.to_string_lossy().ends_with(end));
    files.sort();
    if files.is_empty() {
        bail!("There are no files (*{end}) in {}.", folder.display())
    } else {
        Ok(files)
    }
}

/// webdriver.json, with the browser that set-up found.
fn capabilities(project: &Project, chrome: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(project.root.join("webdriver.json"))
        .context("reading webdriver.json")?;
    let mut capabilities: Value = serde_json::from_str(&text).context("webdriver.json")?;
    capabilities["goog:chromeOptions"]["binary"] = chrome.to_string_lossy().into();
    let file = project.scratch().join("webdriver.json");
    fs::create_dir_all(project.scratch())?;
    fs::write(&file, capabilities.to_string())
        .with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}

/// Copies the sources of the project without its builds. Removes an earlier copy first.
fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("removing {}", to.display()))?;
    }
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(
            name.to_string_lossy().as_ref(),
            ".git" | "target" | "dist" | "node_modules" | "fuzz"
        ) {
            continue;
        }
        if entry.path().is_dir() {
            copy_sources(&entry.path(), &to.join(&name))?;
        } else {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}
