//! Finds a Rust that builds for wasm32-unknown-unknown: the user's own, with the target of rustup,
//! or Debian's.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::debian_rust;
use crate::project::{Project, cargo, path_with, which};
use crate::run::{self, Advise, Log};

/// The target of browsers.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Time limit for rustup, which retries for long on a closed network.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// Which Rust builds for wasm.
#[derive(Clone)]
pub enum WasmRust {
    /// The user's own.
    Own,
    /// Debian's, with a sysroot in this folder.
    Debian(PathBuf),
}

/// Finds or installs it.
pub fn prepare(project: &Project, log: &mut Log) -> Result<WasmRust> {
    let wanted = env::var("FROSTMESH_WASM_RUST").unwrap_or_default();
    match wanted.as_str() {
        "debian" => return debian_rust::prepare(project, log).map(WasmRust::Debian),
        "" | "rustup" => {}
        other => bail!("FROSTMESH_WASM_RUST is `{other}`; it can be `rustup` or `debian`."),
    }
    if has_target() {
        log.note("there");
        return Ok(WasmRust::Own);
    }
    if wanted.is_empty() && debian_rust::is_ready(project) {
        return debian_rust::prepare(project, log).map(WasmRust::Debian);
    }
    let added = add_by_rustup(log);
    if added.is_ok() && has_target() {
        log.note("added by rustup");
        return Ok(WasmRust::Own);
    }
    if wanted == "rustup" {
        return added.and_then(|()| bail!("rustup added {TARGET}, but rustc does not find it."));
    }
    debian_rust::prepare(project, log).map(WasmRust::Debian)
}

impl WasmRust {
    /// A command that uses this Rust and the installed tools. Its builds go to the wasm target
    /// folder.
    pub fn command(&self, project: &Project, program: &str) -> Result<Command> {
        let mut front = vec![project.tools_bin()];
        if let Self::Debian(sysroot) = self {
            front.insert(0, sysroot.join("bin"));
        }
        // Cargo prefers subcommands (clippy) in its own folder, unless that folder comes later on
        // PATH.
        let back: Vec<PathBuf> = cargo_home().map(|home| home.join("bin")).into_iter().collect();
        let path = env::split_paths(&path_with(&front)?).chain(back).collect::<Vec<_>>();
        let mut command = Command::new(program);
        if let Self::Debian(sysroot) = self {
            for name in debian_rust::FOREIGN_VARIABLES {
                command.env_remove(name);
            }
            // clippy-driver does not run through the rustc of the sysroot, so it needs the flag
            // itself.
            command.env("SYSROOT", sysroot);
        }
        command
            .current_dir(&project.root)
            .env("PATH", env::join_paths(path)?)
            .env("CARGO_TARGET_DIR", project.wasm_target())
            .env_remove("RUSTFLAGS")
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(project)?.join("\x1f"));
        Ok(command)
    }

    /// Compiler flags that keep paths of this machine out of the module, so that it is the same on
    /// every machine.
    fn flags(&self, project: &Project) -> Result<Vec<String>> {
        let mut places = vec![(project.root.clone(), "/frostmesh".to_owned())];
        if !project.target.starts_with(&project.root) {
            places.push((project.target.clone(), "/frostmesh/target".to_owned()));
        }
        let home = cargo_home().context(
            "There is no home folder, so cargo has no place for crates. Set CARGO_HOME.",
        )?;
        // Each registry has a folder, whose name differs for mirrors.
        for registry in folders(&home.join("registry/src")) {
            places.push((registry, "/cargo".to_owned()));
        }
        Ok(places
            .into_iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
            .collect())
    }
}

/// The folder of cargo's crates and programs.
fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Whether the user's rustc finds a standard library for wasm.
fn has_target() -> bool {
    let folder =
        run::output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_ok_and(|folder| has_std(Path::new(&folder)))
}

/// Whether a folder holds a compiled standard library.
pub fn has_std(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn add_by_rustup(log: &mut Log) -> Result<()> {
    if which("rustup").is_none() {
        bail!("There is no rustup to add {TARGET} with.");
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).env("RUSTUP_MAX_RETRIES", "1");
    log.run_within(Some(RUSTUP_LIMIT), &mut rustup)
        .advise(format!("run `rustup target add {TARGET}` where the network allows it."))
}

/// Downloads the crates that the module needs, so that their folder exists when flags name it.
pub fn fetch(project: &Project, log: &mut Log) -> Result<()> {
    let mut fetch = cargo();
    fetch.current_dir(&project.root).args(["fetch", "--locked", "--target", TARGET]);
    log.run(&mut fetch)
        .advise("check the network, and that Cargo.lock agrees with Cargo.toml (`cargo metadata`).")
}
