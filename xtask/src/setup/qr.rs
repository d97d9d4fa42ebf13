//! The QR codes of invites: a small JavaScript module of npm, which ships as it is.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::node::{self, Node};
use crate::project::Project;
use crate::run::Log;

/// <https://github.com/davidje13/lean-qr>, MIT.
const LEAN_QR: &str = "2.7.4";

/// Installs it.
pub fn prepare(project: &Project, node: &Node, log: &mut Log) -> Result<()> {
    let module = package(project).join("nano.mjs");
    if module.is_file() {
        log.note(format!("there: lean-qr {LEAN_QR}"));
        return Ok(());
    }
    node::install(node, log, &folder(project), &format!("lean-qr@{LEAN_QR}"))?;
    if !module.is_file() {
        bail!("The npm package lean-qr {LEAN_QR} brought no {}.", module.display());
    }
    log.note(format!("installed lean-qr {LEAN_QR}"));
    Ok(())
}

/// The module with its licence in front.
pub fn module(project: &Project) -> Result<Vec<u8>> {
    let read = |name| {
        let path = package(project).join(name);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    Ok(format!("/* lean-qr {LEAN_QR}\n\n{}*/\n{}", read("LICENSE")?, read("nano.mjs")?).into_bytes())
}

fn folder(project: &Project) -> PathBuf {
    project.tools.join(format!("lean-qr-{LEAN_QR}"))
}

fn package(project: &Project) -> PathBuf {
    folder(project).join("node_modules/lean-qr")
}
