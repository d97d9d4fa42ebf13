//! Set-up: installs what a machine with only Rust still needs. Parts that are installed already are
//! skipped.

pub mod apt;
mod browser;
mod debian_rust;
mod node;
pub mod qr;
mod stamp;
pub mod wasm_rust;
pub mod wasm_tools;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::progress::Progress;
use crate::project::Project;

pub use browser::Browser;
pub use node::Node;
pub use stamp::Stamp;
pub use wasm_rust::WasmRust;

/// `cargo xtask setup`.
pub fn command(project: &Project) -> Result<()> {
    let _alone = project.lock()?;
    let progress = Progress::begin(project, "Setting up");
    let setup = Setup { project, progress: &progress };
    setup.for_tests()?;
    println!(
        "\nTools are in {}. Next: `cargo xtask demo` or `cargo xtask test`.",
        project.tools.display()
    );
    Ok(())
}

/// `cargo xtask wasm COMMAND...`.
pub fn wasm_command(project: &Project, words: &[String]) -> Result<ExitCode> {
    let Some((program, arguments)) = words.split_first() else {
        bail!(
            "Name the command to run, as in `cargo xtask wasm cargo check --lib --target wasm32-unknown-unknown`."
        );
    };
    let alone = project.lock_tools()?;
    let rust = wasm_rust::prepare(project, &mut crate::run::Log::new(project, "wasm target"))?;
    drop(alone);
    let mut command = rust.command(project, program)?;
    let status =
        command.args(arguments).status().with_context(|| format!("cannot run `{program}`"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs set-up step by step, and shows each step.
pub struct Setup<'a> {
    /// The project to set up for.
    pub project: &'a Project,
    /// Where the steps are shown.
    pub progress: &'a Progress<'a>,
}

/// The tools to build the wasm module.
pub struct WasmTools {
    /// The Rust that builds for wasm.
    pub rust: WasmRust,
    /// Node, which runs wasm-opt.
    pub node: Node,
}

/// The tools to run everything.
pub struct AllTools {
    /// The tools to build the wasm module.
    pub wasm: WasmTools,
    /// The browser, with its driver if that is needed.
    pub browser: Browser,
}

impl Setup<'_> {
    /// For `cargo xtask extension`.
    pub fn for_extension(&self) -> Result<WasmTools> {
        let Self { project, progress } = self;
        let _alone = project.lock_tools()?;
        let rust = progress.step("wasm target", |log| wasm_rust::prepare(project, log))?;
        progress.step("wasm-bindgen", |log| wasm_tools::wasm_bindgen(project, log))?;
        let node = progress.step("Node", |log| node::prepare(project, log))?;
        progress.step("wasm-opt", |log| wasm_tools::wasm_opt(project, &node, log))?;
        progress.step("QR codes", |log| qr::prepare(project, &node, log))?;
        Ok(WasmTools { rust, node })
    }

    /// For `cargo xtask demo`.
    pub fn for_demo(&self) -> Result<AllTools> {
        let Self { project, progress } = self;
        let wasm = self.for_extension()?;
        let browser =
            progress.step("Chromium", |log| browser::prepare(log, browser::Driver::NotNeeded))?;
        progress.step("packages of tests/e2e", |log| {
            node::packages(project, &wasm.node, "tests/e2e", log)
        })?;
        Ok(AllTools { wasm, browser })
    }

    /// For `cargo xtask test` and `cargo xtask bench`.
    pub fn for_tests(&self) -> Result<AllTools> {
        let Self { project, progress } = self;
        let wasm = self.for_extension()?;
        let _alone = project.lock_tools()?;
        let browser =
            progress.step("Chromium", |log| browser::prepare(log, browser::Driver::Needed))?;
        progress.step("packages of tests/e2e", |log| {
            node::packages(project, &wasm.node, "tests/e2e", log)
        })?;
        progress.step("packages of interop", |log| {
            node::packages(project, &wasm.node, "tests/interop", log)
        })?;
        Ok(AllTools { wasm, browser })
    }
}
