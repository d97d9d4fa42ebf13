//! Debian's Rust, for networks where rustup cannot download. Its packages hold the standard library
//! for wasm as source only. This compiles it once, into a sysroot with links to Debian's files.
//! Except for the packages, it changes neither /usr nor the user's rustup.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::wasm_rust::{TARGET, has_std};
use super::{Stamp, apt};
use crate::project::Project;
use crate::run::{self, Log};

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const RUST_LLD: &str = "/usr/bin/rust-lld";
const RUSTLIB: &str = "/usr/lib/rustlib";
const PACKAGES: [&str; 5] =
    ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "rust-web-clippy"];

/// Environment variables of the user's toolchain, which Debian's must not see.
pub const FOREIGN_VARIABLES: [&str; 9] = [
    "RUSTUP_TOOLCHAIN",
    "RUSTC",
    "RUSTDOC",
    "CARGO",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTC",
    "LD_LIBRARY_PATH",
];

/// The version of the sysroot's layout. Raise it when this file makes the sysroot in another way.
const RECIPE: &str = "1";

/// Whether a sysroot exists. [`prepare`] renews one that is out of date.
pub fn is_ready(project: &Project) -> bool {
    sysroot(project).join("stamp").is_file()
}

/// Installs the packages if they are missing, makes the sysroot if it is missing or old, and
/// returns its folder.
pub fn prepare(project: &Project, log: &mut Log) -> Result<PathBuf> {
    packages(log)?;
    let version = run::output(Command::new(RUSTC).arg("-vV").env_remove("LD_LIBRARY_PATH"))?;
    let field = |name: &str| {
        version.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim()
    };
    let release = field("release:");
    if order(release) < order(&project.rust_version) {
        bail!(
            "Debian's Rust is {release}, and this project needs {}.\n\nWhat to do: run `rustup target add {TARGET}` \
             where the network allows it.",
            project.rust_version
        );
    }
    let sysroot = sysroot(project);
    let stamp = Stamp::new(sysroot.join("stamp"), &[RECIPE.as_bytes(), version.as_bytes()]);
    if stamp.is_current() && has_std(&libraries(&sysroot)) {
        log.note(format!("there: Debian's Rust {release}"));
        return Ok(sysroot);
    }
    if sysroot.exists() {
        fs::remove_dir_all(&sysroot).with_context(|| format!("removing {}", sysroot.display()))?;
    }
    fs::create_dir_all(libraries(&sysroot))
        .with_context(|| format!("making {}", sysroot.display()))?;
    compile_std(&sysroot, release, log)?;
    link(&sysroot, field("host:"))?;
    stamp.write()?;
    log.note(format!("made with Debian's Rust {release}"));
    Ok(sysroot)
}

fn sysroot(project: &Project) -> PathBuf {
    project.tools.join("debian-rust")
}

fn libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

/// `1.95` and `1.96.0` as numbers that compare.
fn order(version: &str) -> Vec<u32> {
    version.split(['.', '-']).map_while(|part| part.parse().ok()).collect()
}

fn packages(log: &mut Log) -> Result<()> {
    let source = Path::new(RUSTLIB).join("src/rust/library/Cargo.lock");
    let parts = [Path::new(RUSTC), Path::new(CARGO), &source, Path::new("/usr/bin/clippy-driver")];
    let linker = Path::new(RUST_LLD);
    let complete = parts.iter().all(|part| part.exists()) && linker.is_symlink();
    if !complete {
        if !apt::exists() {
            let advice = format!(
                "add the target {TARGET} to your Rust: `rustup target add {TARGET}` where the network allows it, or \
                 your distribution's package for it."
            );
            return apt::unavailable(&format!("The standard library for {TARGET}"), &advice);
        }
        apt::install(log, &PACKAGES)?;
    }
    if !linker.exists() {
        // rust-lld is a link to the linker of one LLVM version, whose package has the same name:
        // lld-22, say.
        let target =
            fs::read_link(linker).with_context(|| format!("reading the link {RUST_LLD}"))?;
        let package = target
            .file_name()
            .and_then(|name| name.to_str())
            .context("rust-lld links to nothing")?;
        apt::install(log, &[package])?;
    }
    Ok(())
}

/// Compiles the standard library into the sysroot, from an empty crate.
fn compile_std(sysroot: &Path, release: &str, log: &mut Log) -> Result<()> {
    let empty = sysroot.join("build");
    fs::create_dir_all(empty.join("src"))?;
    fs::write(empty.join("src/lib.rs"), "")?;
    fs::write(
        empty.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [profile.release]\ndebug = false\nstrip = true\n",
    )?;
    // The source package holds the library's dependencies as well, so this needs no network.
    let vendored = format!("source.vendored.directory=\"{RUSTLIB}/src/rust/library/vendor\"");
    let mut build = Command::new(CARGO);
    for name in FOREIGN_VARIABLES {
        build.env_remove(name);
    }
    build
        .current_dir(&empty)
        .args(["build", "--release", "--target", TARGET, "-Z", "build-std=std,panic_abort,test"])
        .args(["--config", "source.crates-io.replace-with=\"vendored\"", "--config", &vendored])
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", empty.join("target"))
        .env_remove("RUSTFLAGS")
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            format!("--remap-path-prefix={RUSTLIB}/src/rust=/rustc/{release}"),
        );
    log.run(&mut build)?;
    let made = empty.join("target").join(TARGET).join("release/deps");
    for entry in fs::read_dir(&made).with_context(|| format!("reading {}", made.display()))? {
        let file = entry?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("lib") && name.ends_with(".rlib") && !name.starts_with("libempty-") {
            fs::copy(file.path(), libraries(sysroot).join(name.as_ref()))?;
        }
    }
    fs::remove_dir_all(&empty)?;
    if !has_std(&libraries(sysroot)) {
        bail!("Compiling the standard library made no libstd in {}.", made.display());
    }
    Ok(())
}

/// Links Debian's programs and host libraries into the sysroot, and puts a `rustc` there that uses
/// it.
#[cfg(unix)]
fn link(sysroot: &Path, host: &str) -> Result<()> {
    use std::os::unix::fs::{PermissionsExt, symlink};

    symlink(Path::new(RUSTLIB).join(host), sysroot.join("lib/rustlib").join(host))?;
    let bin = sysroot.join("bin");
    fs::create_dir_all(&bin)?;
    for name in ["cargo", "cargo-clippy", "clippy-driver", "rustdoc"] {
        symlink(Path::new("/usr/bin").join(name), bin.join(name))?;
    }
    let rustc = bin.join("rustc");
    fs::write(&rustc, format!("#!/bin/sh\nexec {RUSTC} --sysroot \"${{0%/bin/rustc}}\" \"$@\"\n"))?;
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(not(unix))]
fn link(_sysroot: &Path, _host: &str) -> Result<()> {
    bail!("Debian's Rust runs on Debian only.")
}
