//! Installs Debian's packages, on machines with `apt-get` and the right to use it. Removes no other
//! package.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::project::which;
use crate::run::{Advise, Log};

/// Whether this machine has `apt-get` at all.
pub fn exists() -> bool {
    which("apt-get").is_some()
}

/// Installs packages. Where this is not possible, the error names the command to type.
pub fn install(log: &mut Log, packages: &[&str]) -> Result<()> {
    let advice = format!(
        "run `sudo apt-get update && sudo apt-get install --no-remove {}`, then the same command again.",
        packages.join(" ")
    );
    let Some(prefix) = privilege() else {
        return Err(anyhow::anyhow!(
            "Packages are missing and only root may install them: {}.",
            packages.join(", ")
        ))
        .advise(advice);
    };
    let install = |log: &mut Log| {
        let mut command = apt_get(prefix);
        command.args(["install", "--yes", "--no-remove", "--no-install-recommends"]).args(packages);
        log.run(&mut command)
    };
    // Fetch the package lists only after a failure: fresh machines have none, others may have stale
    // ones.
    if install(log).is_ok() {
        return Ok(());
    }
    log.run(apt_get(prefix).arg("update")).and_then(|()| install(log)).advise(advice)
}

/// The prefix that runs a command as root: none for root, `sudo -n` where that needs no password.
fn privilege() -> Option<&'static [&'static str]> {
    if !exists() {
        return None;
    }
    let quiet = |command: &mut Command| {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    if super::browser::is_root() {
        Some(&[])
    } else if quiet(Command::new("sudo").args(["-n", "true"])) {
        Some(&["sudo", "-n"])
    } else {
        None
    }
}

fn apt_get(prefix: &[&str]) -> Command {
    let words: Vec<&str> = prefix
        .iter()
        .copied()
        .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["-o", "DPkg::Lock::Timeout=300"]);
    command
}

/// An error for machines without `apt-get`, with the advice.
pub fn unavailable<T>(what: &str, advice: &str) -> Result<T> {
    let refuse = || -> Result<T> {
        bail!("{what} is missing, and this machine has no apt-get to install it with.")
    };
    refuse().advise(advice)
}
