//! Installs wasm-bindgen from its source and wasm-opt from the npm package `binaryen`, into the
//! tools folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::node::{self, Node};
use crate::project::{Project, cargo, which};
use crate::run::{Advise, Log, version_of};

/// The version of Binaryen, whose `wasm-opt` shrinks the module.
pub const BINARYEN: &str = "132.0.0";

/// Installs wasm-bindgen and its test runner in exactly the version of Cargo.lock, as the module
/// requires.
pub fn wasm_bindgen(project: &Project, log: &mut Log) -> Result<()> {
    let lock = project.root.join("Cargo.lock");
    let text = fs::read_to_string(&lock)
        .with_context(|| format!("reading {}", lock.display()))
        .advise("restore it from git, or make it with `cargo generate-lockfile`.")?;
    let version =
        locked_version(&text, "wasm-bindgen").context("Cargo.lock names no wasm-bindgen")?;
    cargo_install(
        project,
        log,
        "wasm-bindgen-cli",
        &["wasm-bindgen", "wasm-bindgen-test-runner"],
        version,
    )
}

/// Installs wasm-opt.
pub fn wasm_opt(project: &Project, node: &Node, log: &mut Log) -> Result<()> {
    let folder = binaryen(project);
    if wasm_opt_script(project).is_file() {
        log.note(format!("there: Binaryen {BINARYEN}"));
        return Ok(());
    }
    node::install(node, log, &folder, &format!("binaryen@{BINARYEN}"))?;
    if !wasm_opt_script(project).is_file() {
        bail!(
            "The npm package binaryen {BINARYEN} brought no {}.",
            wasm_opt_script(project).display()
        );
    }
    log.note(format!("installed Binaryen {BINARYEN}"));
    Ok(())
}

/// The script that Node runs as `wasm-opt`.
pub fn wasm_opt_script(project: &Project) -> PathBuf {
    binaryen(project).join("node_modules/binaryen/bin/wasm-opt")
}

fn binaryen(project: &Project) -> PathBuf {
    project.tools.join(format!("binaryen-{BINARYEN}"))
}

/// The version of a package in a Cargo.lock.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

fn cargo_install(
    project: &Project,
    log: &mut Log,
    package: &str,
    programs: &[&str],
    version: &str,
) -> Result<()> {
    let bin = project.tools_bin();
    let file =
        |folder: &Path, name: &str| folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    let is_in = |folder: &Path| {
        programs
            .iter()
            .all(|name| version_of(&file(folder, name)).is_some_and(|found| found == version))
    };
    if is_in(&bin) {
        log.note(format!("there: {version}"));
        return Ok(());
    }
    // The user may have it. The tools folder is first on PATH, so an old version there must not
    // hide it.
    let own = programs
        .first()
        .and_then(|name| which(name))
        .and_then(|path| path.parent().map(Path::to_path_buf));
    if own.is_some_and(|own| is_in(&own)) && !programs.iter().any(|name| file(&bin, name).exists())
    {
        log.note(format!("there: {version}, on PATH"));
        return Ok(());
    }
    fs::create_dir_all(&project.tools)
        .with_context(|| format!("making {}", project.tools.display()))?;
    let build = project.tools.join("build");
    let install = |log: &mut Log, locked: bool| {
        let mut command = cargo();
        command
            .current_dir(&project.tools)
            .args(["install", package, "--version", &format!("={version}"), "--force", "--root"])
            .arg(&project.tools)
            .args(locked.then_some("--locked"))
            .env("CARGO_TARGET_DIR", &build)
            // The tools run for seconds, while an optimised build takes minutes.
            .envs([("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"), ("CARGO_PROFILE_RELEASE_LTO", "off")])
            .envs([
                ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
                ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
            ]);
        log.run(&mut command)
    };
    // Some releases lock a dependency that was withdrawn since. Then use newer ones.
    let locked = install(log, true);
    locked.or_else(|_| install(log, false)).advise(format!(
        "see the log; a C compiler and a network that reaches the crate registry are needed. By hand: \
         `cargo install {package} --version ={version}`."
    ))?;
    // The build folder is large and no longer needed. An error does no harm.
    let _ = fs::remove_dir_all(&build);
    log.note(format!("installed {version}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::locked_version;

    #[test]
    fn the_locked_version_is_that_of_the_package_itself() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n[[package]]\n\
                    name = \"wasm-bindgen\"\nversion = \"0.2.130\"\ndependencies = [\n]\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wasm-opt"), None);
    }
}
