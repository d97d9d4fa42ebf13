//! `cargo xtask bench`: the native benchmarks, those in Chromium, and the sizes.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::extension::{self, Source};
use crate::progress::Progress;
use crate::project::{Project, cargo};
use crate::run;
use crate::setup::Setup;

/// Runs the benchmarks one after the other, in the foreground.
pub fn command(project: &Project) -> Result<()> {
    let _alone = project.lock()?;
    let progress = Progress::begin(project, "Setting up");
    let tools = Setup { project, progress: &progress }.for_demo()?;
    let built = extension::build_with(project, &tools.wasm, &progress)?;
    progress.step("command line, release", |log| {
        let mut build = cargo();
        build.current_dir(&project.root).args([
            "build",
            "--locked",
            "--release",
            "--package",
            "frostmesh",
        ]);
        log.run(build.args(["--bin", "frostmesh"]))
    })?;
    progress.step("benchmark page", |log| {
        extension::make_module(project, &tools.wasm, Source::BenchPage, log).map(drop)
    })?;
    println!("\nNative");
    run::foreground(cargo().current_dir(&project.root).args([
        "bench",
        "--locked",
        "--package",
        "frostmesh",
    ]))?;
    for script in scripts(project)? {
        println!("\n{}", project.show(&script));
        let mut node = tools.wasm.node.command("node")?;
        node.current_dir(&project.root)
            .arg(&script)
            .env("FROSTMESH_BIN", project.program("release"))
            .env("FROSTMESH_DIST", project.dist())
            .env("FROSTMESH_BENCH_PKG", Source::BenchPage.pkg(project))
            .env("FROSTMESH_CRITERION", project.target.join("criterion"))
            .env("CHROME", &tools.browser.chrome);
        run::foreground(&mut node)?;
    }
    println!("\nSizes\n{}", built.sizes.report());
    Ok(())
}

/// The benchmarks that drive a browser or several processes: `tests/e2e/bench-*.mjs`.
fn scripts(project: &Project) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(project.root.join("tests/e2e"))?;
    let mut scripts: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    scripts.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("bench-") && name.ends_with(".mjs")
    });
    scripts.sort();
    Ok(scripts)
}
