//! The wasm modules: cargo compiles them, wasm-bindgen adds the JavaScript, wasm-opt shrinks them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::project::Project;
use crate::run::{Advise, Log};
use crate::setup::wasm_rust::{self, TARGET};
use crate::setup::wasm_tools::{self, BINARYEN};
use crate::setup::{Stamp, WasmTools};

/// The module's file name, which wasm-bindgen derives from the name of the crate.
pub const WASM: &str = "frostmesh_bg.wasm";

/// The features of Rust's wasm target beyond WebAssembly 1.0. wasm-opt refuses features that are
/// not listed.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// The sources of a module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The product.
    Library,
    /// `benches/page`, compiled in the same way.
    BenchPage,
}

impl Source {
    fn cargo(self) -> &'static [&'static str] {
        match self {
            Self::Library => &["--lib"],
            Self::BenchPage => &["--example", "keygen_page"],
        }
    }

    /// The path of cargo's output, below the profile's folder.
    fn compiled(self) -> &'static str {
        match self {
            Self::Library => "frostmesh.wasm",
            Self::BenchPage => "examples/keygen_page.wasm",
        }
    }

    /// The prefix of the names of its folders and stamps.
    fn prefix(self) -> &'static str {
        match self {
            Self::Library => "",
            Self::BenchPage => "bench-",
        }
    }

    /// The finished module with its JavaScript and types.
    pub fn pkg(self, project: &Project) -> PathBuf {
        match self {
            Self::Library => project.pkg(),
            Self::BenchPage => project.wasm_target().join("bench-pkg"),
        }
    }
}

/// Compiles it. Returns the module of rustc.
pub fn compile(
    project: &Project,
    tools: &WasmTools,
    source: Source,
    log: &mut Log,
) -> Result<PathBuf> {
    wasm_rust::fetch(project, log)?;
    let mut build = tools.rust.command(project, "cargo")?;
    build.args([
        "build",
        "--locked",
        "--package",
        "frostmesh",
        "--profile",
        "wasm-release",
        "--target",
        TARGET,
    ]);
    build.args(source.cargo());
    log.run(&mut build)
        .advise("this is a compile error in src/ for wasm: what differs stands in src/browser.")?;
    Ok(project.wasm_target().join(TARGET).join("wasm-release").join(source.compiled()))
}

/// Makes the JavaScript of the module. Returns the folder, before wasm-opt.
pub fn bind(
    project: &Project,
    tools: &WasmTools,
    source: Source,
    module: &Path,
    log: &mut Log,
) -> Result<PathBuf> {
    let scratch = |name| project.wasm_target().join(format!("{}{name}", source.prefix()));
    let folder = scratch("bindgen");
    let compiled = fs::read(module).with_context(|| format!("reading {}", module.display()))?;
    let lock = fs::read(project.root.join("Cargo.lock"))?;
    let stamp = Stamp::new(scratch("bindgen.stamp"), &[&compiled, &lock]);
    if stamp.is_current() && folder.join(WASM).is_file() {
        log.note("unchanged");
        return Ok(folder);
    }
    let mut bindgen = tools.rust.command(project, "wasm-bindgen")?;
    bindgen.args([
        "--target",
        "web",
        "--out-name",
        "frostmesh",
        "--remove-producers-section",
        "--out-dir",
    ]);
    log.run(bindgen.arg(&folder).arg(module))
        .advise("`cargo xtask setup` installs the wasm-bindgen that Cargo.lock asks for.")?;
    stamp.write()?;
    Ok(folder)
}

/// Shrinks the module, into [`Source::pkg`] beside its JavaScript and types.
pub fn optimise(
    project: &Project,
    tools: &WasmTools,
    source: Source,
    bound: &Path,
    log: &mut Log,
) -> Result<()> {
    let pkg = source.pkg(project);
    let raw = bound.join(WASM);
    let input = fs::read(&raw).with_context(|| format!("reading {}", raw.display()))?;
    let script = fs::read(bound.join("frostmesh.js"))?;
    let stamp = Stamp::new(
        project.wasm_target().join(format!("{}pkg.stamp", source.prefix())),
        &[&input, &script, BINARYEN.as_bytes(), FEATURES.concat().as_bytes()],
    );
    if stamp.is_current() && pkg.join(WASM).is_file() {
        log.note("unchanged");
        return Ok(());
    }
    fs::create_dir_all(&pkg).with_context(|| format!("making {}", pkg.display()))?;
    for entry in fs::read_dir(bound)? {
        let file = entry?.path();
        if let Some(name) = file.file_name().filter(|name| *name != WASM) {
            fs::copy(&file, pkg.join(name))?;
        }
    }
    let mut opt = tools.node.command("node")?;
    // To repeat this until nothing changes takes twice as long and saves a kilobyte.
    opt.arg(wasm_tools::wasm_opt_script(project)).args([
        "-O",
        "--strip-producers",
        "--strip-target-features",
    ]);
    log.run(opt.args(FEATURES).arg(&raw).arg("-o").arg(pkg.join(WASM)))
        .advise("if it names a feature of WebAssembly, add it to FEATURES in xtask/src/extension/module.rs.")?;
    stamp.write()
}
