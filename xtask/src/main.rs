//! The tasks of frostmesh, as `cargo xtask COMMAND`. This file reads the command line; each command
//! has a module.

mod bench;
mod demo;
mod extension;
mod fuzz;
mod progress;
mod project;
mod run;
mod setup;
mod simulate;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::project::Project;

const USAGE: &str = "\
The tasks of frostmesh.

Usage: cargo xtask COMMAND

  demo [--headed] [--keep] [--picture FILE]
                        Makes a 2-of-3 key between the extension in Chromium and two command-line nodes.
                        Installs what is missing and builds first. --headed shows the window, --keep leaves
                        everything running until Ctrl-C, --picture saves what the popup shows at the end.
  test [NAME...]        Runs the whole suite, or just the named steps (`cargo xtask test --list` names them).
  extension             Builds dist/extension (load it unpacked), dist/frostmesh-extension.zip and dist/www.
  setup                 Installs what is missing: wasm target, wasm-bindgen, wasm-opt, Chromium,
                        Node packages. Everything else does this by itself, as far as it needs it.
  simulate --seeds N [--from S]
                        Runs the simulated network for N seeds, beginning with seed S (1).
  fuzz [--seconds N] [TARGET...]
                        Runs the fuzz targets (fuzz/), each for N seconds (60). What they find is kept in fuzz/.
  bench                 Runs the benchmarks, native and in Chromium, and prints the sizes.
  wasm COMMAND...       Runs a command with the Rust that builds for wasm, as in
                        `cargo xtask wasm cargo check --lib --target wasm32-unknown-unknown`.

Environment:
  FROSTMESH_TOOLS       Where tools are installed (default: $XDG_CACHE_HOME/frostmesh/tools or
                        ~/.cache/frostmesh/tools).
  FROSTMESH_WASM_RUST   `rustup` or `debian`: which Rust builds for wasm (default: the first that works).
  CHROME, CHROMEDRIVER  The browser and its driver, if they are not where they usually are.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\n{}", run::explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        print!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    if matches!(command.as_str(), "help" | "--help" | "-h")
        || rest.iter().any(|word| word == "--help" || word == "-h")
    {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let done = |()| ExitCode::SUCCESS;
    match command.as_str() {
        "demo" => demo::command(&Project::find()?, &demo::Options::parse(rest)?),
        "test" => test::command(&Project::find()?, rest),
        "extension" => {
            none(command, rest).and_then(|()| extension::command(&Project::find()?)).map(done)
        }
        "setup" => none(command, rest).and_then(|()| setup::command(&Project::find()?)).map(done),
        "simulate" => simulate::command(&Project::find()?, rest).map(done),
        "fuzz" => fuzz::command(&Project::find()?, rest).map(done),
        "bench" => none(command, rest).and_then(|()| bench::command(&Project::find()?)).map(done),
        "wasm" => setup::wasm_command(&Project::find()?, rest),
        other => bail!("There is no command `{other}`.\n\n{USAGE}"),
    }
}

/// Refuses arguments that a command does not know.
fn none(command: &str, rest: &[String]) -> Result<()> {
    match rest.first() {
        None => Ok(()),
        Some(extra) => bail!("`cargo xtask {command}` takes no `{extra}`. See `cargo xtask help`."),
    }
}
