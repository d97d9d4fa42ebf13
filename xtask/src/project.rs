//! The folders of the tasks: the project, its builds, and a cache of tools that several clones
//! share.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::run;

/// The folders that every task works in. All paths are absolute.
#[derive(Clone)]
pub struct Project {
    /// The root of the workspace.
    pub root: PathBuf,
    /// Cargo's target folder for native builds.
    pub target: PathBuf,
    /// Installed tools; shared by all clones of the project.
    pub tools: PathBuf,
    /// The oldest Rust that compiles the project, as `1.95`.
    pub rust_version: String,
}

impl Project {
    /// The project that this task belongs to.
    pub fn find() -> Result<Self> {
        let manifest = env::var("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let root =
            Path::new(&manifest).parent().context("xtask stands in no folder")?.to_path_buf();
        let mut metadata = cargo();
        metadata.current_dir(&root).args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata: Value = serde_json::from_str(&run::output(&mut metadata)?)
            .context("reading `cargo metadata`")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("`cargo metadata` names no target folder")?
            .into();
        let rust_version = metadata["packages"]
            .as_array()
            .and_then(|packages| packages.iter().find(|package| package["name"] == "xtask"))
            .and_then(|package| package["rust_version"].as_str())
            .unwrap_or_default()
            .to_owned();
        Ok(Self { root, target, tools: tools_folder()?, rust_version })
    }

    /// The same project, copied to another folder, with a target folder of its own.
    pub fn at(&self, root: PathBuf) -> Self {
        Self { target: root.join("target"), root, ..self.clone() }
    }

    /// The target folder of builds for wasm. Another compiler may make them, and two compilers in
    /// one folder would rebuild everything each time.
    pub fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// The module after wasm-bindgen and wasm-opt.
    pub fn pkg(&self) -> PathBuf {
        self.target.join("pkg")
    }

    /// The folder of the finished extension and page.
    pub fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// The folder for files of the tasks themselves.
    pub fn scratch(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// The logs of the steps.
    pub fn logs(&self) -> PathBuf {
        self.scratch().join("logs")
    }

    /// The folder into which set-up installs programs.
    pub fn tools_bin(&self) -> PathBuf {
        self.tools.join("bin")
    }

    /// The native program, as `cargo build` and `cargo test` leave it.
    pub fn program(&self, profile: &str) -> PathBuf {
        self.target.join(profile).join(format!("frostmesh{}", env::consts::EXE_SUFFIX))
    }

    /// Waits until no other task works on this clone, and locks it. The lock ends when the returned
    /// file is dropped.
    pub fn lock(&self) -> Result<File> {
        lock(&self.scratch(), "on this clone")
    }

    /// Waits until no other task installs tools.
    pub fn lock_tools(&self) -> Result<File> {
        lock(&self.tools, "on the tools")
    }

    /// A path for people: relative to the project if it is inside.
    pub fn show<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// The user's own cargo.
pub fn cargo() -> Command {
    Command::new("cargo")
}

/// `PATH` with these folders in front.
pub fn path_with(front: &[PathBuf]) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = front.iter().cloned().chain(env::split_paths(&path));
    env::join_paths(folders).map_err(|error| anyhow!("A folder cannot stand on PATH: {error}"))
}

/// The first program of that name on `PATH`.
pub fn which(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(format!("{name}{}", env::consts::EXE_SUFFIX)))
        .find(|file| file.is_file())
}

fn lock(folder: &Path, what: &str) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    if file.try_lock().is_err() {
        println!("Waiting for another `cargo xtask` that works {what}");
        file.lock().with_context(|| format!("locking {}", path.display()))?;
    }
    Ok(file)
}

fn tools_folder() -> Result<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = named("FROSTMESH_TOOLS")
        .or_else(|| named("XDG_CACHE_HOME").map(|cache| cache.join("frostmesh/tools")))
        .or_else(|| env::home_dir().map(|home| home.join(".cache/frostmesh/tools")))
        .context("There is no home folder to keep tools in. Set FROSTMESH_TOOLS to a folder.")?;
    std::path::absolute(&folder).with_context(|| format!("{} is no usable path", folder.display()))
}
