//! `cargo xtask simulate`: many seeds of the simulated network, at full speed.

use anyhow::{Context, Result, bail};

use crate::project::{Project, cargo};
use crate::run;

/// Runs `tests/simulation.rs` (key generation) and `tests/signing.rs` for the seeds `from .. from +
/// seeds`.
pub fn command(project: &Project, arguments: &[String]) -> Result<()> {
    const HOW: &str = "Usage: cargo xtask simulate --seeds N [--from S]";
    let (mut seeds, mut from) = (None, 1_u64);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("`{word}` needs a number. {HOW}"))?;
        let number: u64 =
            value.parse().with_context(|| format!("`{value}` is no number. {HOW}"))?;
        match word.as_str() {
            "--seeds" => seeds = Some(number),
            "--from" => from = number,
            other => bail!("`{other}` is unknown. {HOW}"),
        }
    }
    let Some(seeds) = seeds.filter(|seeds| *seeds > 0) else { bail!("Say how many seeds. {HOW}") };
    println!("Simulating {seeds} seeds from {from}");
    let mut test = cargo();
    test.current_dir(&project.root)
        .args(["test", "--locked", "--release", "--package", "frostmesh"])
        .args(["--test", "simulation", "--test", "signing"])
        .args(["--", "--nocapture"])
        .env("FROSTMESH_SEEDS", seeds.to_string())
        .env("FROSTMESH_FIRST_SEED", from.to_string());
    run::foreground(&mut test)
}
