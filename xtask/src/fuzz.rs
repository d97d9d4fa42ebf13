//! `cargo xtask fuzz`: builds the targets of fuzz/ with libFuzzer and coverage, and runs each for
//! some seconds.
//!
//! The build is that of cargo-fuzz without a sanitizer, which needs no nightly Rust. A sanitizer
//! would find nothing, since the project has no unsafe code.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::Progress;
use crate::project::{Project, cargo, which};
use crate::run::{Advise, Log, output};
use crate::setup::apt;

/// The compiler flags of cargo-fuzz for coverage.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// `cargo xtask fuzz [--seconds N] [TARGET...]`.
pub fn command(project: &Project, arguments: &[String]) -> Result<()> {
    const HOW: &str = "Usage: cargo xtask fuzz [--seconds N] [TARGET...]";
    let (mut seconds, mut chosen) = (60_u64, Vec::new());
    let known = targets(project)?;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--seconds" {
            let value = words.next().context(HOW)?;
            seconds = value.parse().with_context(|| format!("`{value}` is no number. {HOW}"))?;
        } else if known.contains(word) {
            chosen.push(word.clone());
        } else {
            bail!("There is no target `{word}`. The targets are: {}. {HOW}", known.join(", "));
        }
    }
    let _alone = project.lock()?;
    let progress = Progress::begin(project, "Fuzzing");
    progress.step("build", |log| build(project, log))?;
    for target in if chosen.is_empty() { known } else { chosen } {
        progress.step(&target, |log| {
            let inputs = run(project, &target, seconds, log)?;
            log.note(format!("{inputs} inputs"));
            Ok(())
        })?;
    }
    Ok(())
}

/// Builds all targets.
pub fn build(project: &Project, log: &mut Log) -> Result<()> {
    if which("c++").is_none() {
        if !apt::exists() {
            return apt::unavailable("A C++ compiler", "install one: libFuzzer is C++.");
        }
        apt::install(log, &["g++"])?;
    }
    let mut build = cargo();
    build.current_dir(folder(project)).args(["build", "--locked", "--release", "--bins"]);
    // With an explicit target, cargo applies the flags neither to build scripts nor to macros,
    // which have no libFuzzer.
    build.args(["--target", &host()?]);
    log.run(build.env("CARGO_TARGET_DIR", target_folder(project)).env("RUSTFLAGS", COVERAGE))
        .advise("if its lock file is behind, `cargo metadata --manifest-path fuzz/Cargo.toml >/dev/null` brings it up.")
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let text = output(Command::new("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

fn program(project: &Project, target: &str) -> Result<PathBuf> {
    Ok(target_folder(project).join(host()?).join("release").join(target))
}

/// Runs one target for some seconds, with its seeds and the inputs that earlier runs found. Returns
/// the number of inputs.
pub fn run(project: &Project, target: &str, seconds: u64, log: &mut Log) -> Result<u64> {
    let corpus = folder(project).join("corpus").join(target);
    let artifacts = folder(project).join("artifacts").join(target);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let program = program(project, target)?;
    let mut fuzz = Command::new(&program);
    fuzz.current_dir(folder(project)).arg(&corpus);
    fuzz.args(
        [seeds(project, target), project.root.join("tests/vectors")]
            .into_iter()
            .filter(|path| path.is_dir()),
    );
    fuzz.arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzz.args([
        "-max_len=4096",
        "-len_control=10",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-dict=words.dict",
    ]);
    fuzz.args(["-print_final_stats=1", "-verbosity=1"]);
    log.run(&mut fuzz).advise(format!(
        "the input that did it is in {}; hand its path to {} to see it again.",
        project.show(&artifacts),
        project.show(&program)
    ))?;
    let text = log.text();
    let executed =
        text.lines().rev().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    executed
        .and_then(|count| count.trim().parse().ok())
        .context("libFuzzer does not say how much it tried")
}

/// The names of all targets, sorted.
pub fn targets(project: &Project) -> Result<Vec<String>> {
    let folder = folder(project).join("fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut names: Vec<String> = entries.filter_map(|entry| stem(entry.ok()?.path())).collect();
    names.sort();
    Ok(names)
}

fn folder(project: &Project) -> PathBuf {
    project.root.join("fuzz")
}

fn seeds(project: &Project, target: &str) -> PathBuf {
    folder(project).join("seeds").join(target)
}

/// A target folder of its own, since the flags change the code of every crate.
fn target_folder(project: &Project) -> PathBuf {
    project.target.join("fuzz")
}
