//! `cargo xtask extension`: builds the extension and the page from the sources, with the same bytes
//! each time.

mod assemble;
mod module;
mod sizes;
mod zip;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::progress::Progress;
use crate::project::Project;
use crate::run::Log;
use crate::setup::{Setup, WasmTools};

pub use module::Source;
pub use sizes::Sizes;

/// The result of a build.
pub struct Built {
    /// The unpacked extension.
    pub extension: PathBuf,
    /// The same node as a page.
    pub page: PathBuf,
    /// The extension as one file.
    pub zip: PathBuf,
    /// How large it is.
    pub sizes: Sizes,
}

/// `cargo xtask extension`.
pub fn command(project: &Project) -> Result<()> {
    let _alone = project.lock()?;
    let progress = Progress::begin(project, "Building the extension");
    let tools = Setup { project, progress: &progress }.for_extension()?;
    let built = build_with(project, &tools, &progress)?;
    println!("\n{}", built.sizes.report());
    println!(
        "  Extension  {}  (load it unpacked on the Extensions page)",
        project.show(&built.extension)
    );
    println!("  Zip        {}", project.show(&built.zip));
    println!("  Page       {}", project.show(&built.page));
    Ok(())
}

/// Builds everything, with a line for each part.
pub fn build_with(project: &Project, tools: &WasmTools, progress: &Progress<'_>) -> Result<Built> {
    let source = Source::Library;
    let module =
        progress.step("wasm module", |log| module::compile(project, tools, source, log))?;
    let raw = progress
        .step("JavaScript bindings", |log| module::bind(project, tools, source, &module, log))?;
    progress.step("smaller module", |log| module::optimise(project, tools, source, &raw, log))?;
    progress.step("dist", |log| assemble(project, &module, log))
}

/// Builds everything as one step.
pub fn build(project: &Project, tools: &WasmTools, log: &mut Log) -> Result<Built> {
    let module = make_module(project, tools, Source::Library, log)?;
    assemble(project, &module, log)
}

/// Builds a module and makes it ready to load. Returns the module of rustc, before wasm-bindgen.
pub fn make_module(
    project: &Project,
    tools: &WasmTools,
    source: Source,
    log: &mut Log,
) -> Result<PathBuf> {
    let module = module::compile(project, tools, source, log)?;
    let raw = module::bind(project, tools, source, &module, log)?;
    module::optimise(project, tools, source, &raw, log)?;
    Ok(module)
}

fn assemble(project: &Project, module: &std::path::Path, log: &mut Log) -> Result<Built> {
    no_paths_of_this_machine(project)?;
    let (extension, page) = (project.dist().join("extension"), project.dist().join("www"));
    let files = assemble::extension(project)?;
    assemble::write(&files, &extension)?;
    assemble::write(&assemble::page(project)?, &page)?;
    let zip = project.dist().join("frostmesh-extension.zip");
    fs::write(&zip, zip::pack(&files)?).with_context(|| format!("writing {}", zip.display()))?;
    let sizes = Sizes::measure(project, module, &extension)?;
    log.note(format!("{} files", files.len()));
    Ok(Built { extension, page, zip, sizes })
}

/// Checks that the module names no path of this machine, so that it is the same on every machine.
fn no_paths_of_this_machine(project: &Project) -> Result<()> {
    let module = fs::read(project.pkg().join(module::WASM))?;
    let home = std::env::home_dir();
    for folder in [Some(&project.root), home.as_ref()].into_iter().flatten() {
        let Some(name) = folder.to_str().filter(|name| name.len() > 2) else { continue };
        let name = format!("{}/", name.trim_end_matches('/'));
        if module.windows(name.len()).any(|window| window == name.as_bytes()) {
            bail!(
                "The wasm module holds the path {name}, which is this machine's own.\n\n\
                   What to do: see the flags in xtask/src/setup/wasm_rust.rs; a place where sources lie is not in them."
            );
        }
    }
    Ok(())
}
