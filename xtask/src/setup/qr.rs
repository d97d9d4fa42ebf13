//! The JavaScript modules that draw and read QR codes of invites: those of an npm package,
//! unchanged.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::node::{self, Node};
use crate::project::Project;
use crate::run::Log;

/// <https://github.com/paulmillr/qr>, MIT or Apache-2.0.
const QR: &str = "0.7.0";

/// The files that ship, with their paths: the writer, and the reader, which needs the writer's
/// tables.
const MODULES: [(&str, &str); 2] =
    [("index.js", "ui/qr/index.js"), ("decode.js", "ui/qr/decode.js")];

/// Installs it.
pub fn prepare(project: &Project, node: &Node, log: &mut Log) -> Result<()> {
    let there = || MODULES.iter().all(|(name, _)| package(project).join(name).is_file());
    if there() {
        log.note(format!("there: qr {QR}"));
        return Ok(());
    }
    node::install(node, log, &folder(project), &format!("qr@{QR}"))?;
    if !there() {
        bail!("The npm package qr {QR} brought no modules: see {}.", package(project).display());
    }
    log.note(format!("installed qr {QR}"));
    Ok(())
}

/// The modules, each behind its licence, with their paths.
pub fn modules(project: &Project) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let read = |name| {
        let path = package(project).join(name);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    let licence = read("LICENSE-MIT")?;
    let module =
        |(name, to)| Ok((to, format!("/* qr {QR}\n\n{licence}*/\n{}", read(name)?).into_bytes()));
    MODULES.into_iter().map(module).collect()
}

fn folder(project: &Project) -> PathBuf {
    project.tools.join(format!("qr-{QR}"))
}

fn package(project: &Project) -> PathBuf {
    folder(project).join("node_modules/qr")
}
