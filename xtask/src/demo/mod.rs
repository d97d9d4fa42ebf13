//! `cargo xtask demo`: a 2-of-3 key between the extension in Chromium and two command-line nodes,
//! and a short report. The browser's side is `demo.mjs`, which clicks in the popup and reports its
//! content.

mod process;
mod report;
mod timeline;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::extension;
use crate::progress::Progress;
use crate::project::{Project, cargo};
use crate::run;
use crate::setup::{AllTools, Setup};
use process::{Events, Process};
use timeline::{PARTICIPANTS, Timeline};

/// The demo's key needs this many of its participants to sign.
const THRESHOLD: &str = "2";
const PASSWORD: &str = "demo of frostmesh";

/// The options of the command.
#[derive(Default)]
pub struct Options {
    headed: bool,
    keep: bool,
    picture: Option<PathBuf>,
}

impl Options {
    /// Reads the options.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--headed" => options.headed = true,
                "--keep" => options.keep = true,
                "--picture" => {
                    let file =
                        words.next().context("--picture needs a file name, such as popup.png")?;
                    options.picture = Some(std::path::absolute(file)?);
                }
                other => {
                    bail!(
                        "`cargo xtask demo` does not know `{other}`. It takes --headed, --keep, --picture FILE."
                    )
                }
            }
        }
        Ok(options)
    }
}

/// Sets up, builds, runs the demo. The exit code is 0 only if all three see the same key.
pub fn command(project: &Project, options: &Options) -> Result<ExitCode> {
    let alone = project.lock()?;
    let progress = Progress::begin(project, "Setting up");
    let tools = Setup { project, progress: &progress }.for_demo()?;
    let progress = Progress::begin(project, "\nBuilding");
    progress.step("command line", |log| {
        let mut build = cargo();
        build.current_dir(&project.root).args([
            "build",
            "--locked",
            "--package",
            "frostmesh",
            "--bin",
            "frostmesh",
        ]);
        log.run(&mut build)
    })?;
    extension::build_with(project, &tools.wasm, &progress)?;
    drop(alone);

    println!(
        "\nMaking a {THRESHOLD}-of-3 key: the extension in Chromium {} and two command lines",
        tools.browser.version
    );
    let folder = Scratch::make()?;
    let mut scene = Scene {
        project,
        tools: &tools,
        options,
        folder: &folder.0,
        events: Events::new()?,
        timeline: Timeline::default(),
        processes: Vec::new(),
    };
    let played = scene.play();
    print!("{}", report::table(&scene.timeline));
    let agreed = played.and_then(|url| report::keys(&scene.timeline).map(|()| url));
    if let (Ok(url), true) = (&agreed, options.keep) {
        print!("{}", report::next(project, &folder.0, url));
        scene.events.until_interrupted();
    }
    // The last one started ends first, so that the server outlives its clients.
    let said: String = scene.processes.into_iter().rev().map(Process::stop).collect();
    match agreed {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            bail!("The demo made no key that all agree on: {}\n{said}", run::explain(&error))
        }
    }
}

/// All processes of the demo.
struct Scene<'a> {
    project: &'a Project,
    tools: &'a AllTools,
    options: &'a Options,
    folder: &'a Path,
    events: Events,
    timeline: Timeline,
    processes: Vec<Process>,
}

impl Scene<'_> {
    /// Makes the key; returns the server's URL.
    fn play(&mut self) -> Result<String> {
        self.server()?;
        let listening = self.expect("server", "listening", 15)?;
        let url = listening["url"].as_str().context("the server tells no URL")?.to_owned();
        // A proposal reaches only peers that are online, so the proposer starts last.
        self.browser(&url)?;
        self.expect("browser", "online", 90)?;
        self.node("cli2", &url, &["join"])?;
        self.expect("cli2", "registered", 30)?;
        self.node(
            "cli1",
            &url,
            &["create", "--participants", &PARTICIPANTS.join(","), "--threshold", THRESHOLD],
        )?;
        while !self.timeline.is_complete() {
            let event = self.events.next(Duration::from_secs(90));
            let event = event
                .with_context(|| format!("waiting for {}", self.timeline.missing().join(", ")))?;
            self.timeline.add(&event)?;
        }
        if self.options.picture.is_some() {
            self.expect("browser", "picture", 30)?;
        }
        Ok(url)
    }

    fn server(&mut self) -> Result<()> {
        let mut command = Command::new(self.project.program("debug"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--json", "--www"])
            .arg(self.project.dist().join("www"));
        self.start("server", &mut command)
    }

    fn node(&mut self, name: &'static str, url: &str, words: &[&str]) -> Result<()> {
        let password = self.folder.join("password");
        fs::write(&password, PASSWORD)?;
        let mut command = Command::new(self.project.program("debug"));
        command
            .args(words)
            .args(["--server", url, "--peer-id", name, "--allow-unverified", "--json"])
            .arg("--data-dir")
            .arg(self.folder.join(name))
            .arg("--password-file")
            .arg(&password);
        self.start(name, &mut command)
    }

    fn browser(&mut self, url: &str) -> Result<()> {
        let settings = serde_json::json!({
            "chrome": self.tools.browser.chrome,
            "extension": self.project.dist().join("extension"),
            "profile": self.folder.join("browser"),
            "server": url,
            "peerId": "browser",
            "password": PASSWORD,
            "headed": self.options.headed,
            "picture": self.options.picture,
        });
        let mut command = self.tools.wasm.node.command("node")?;
        command.current_dir(&self.project.root).arg("xtask/demo.mjs").arg(settings.to_string());
        self.start("browser", &mut command)
    }

    fn start(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        self.timeline.started(name);
        self.processes.push(Process::start(name, command, &self.events)?);
        Ok(())
    }

    /// Waits for an event of one process. Records the events of others meanwhile.
    fn expect(&mut self, from: &str, name: &str, seconds: u64) -> Result<Value> {
        loop {
            let event = self.events.next(Duration::from_secs(seconds));
            let event = event.with_context(|| format!("waiting for {from} to say `{name}`"))?;
            self.timeline.add(&event)?;
            if event.from == from && event.value["event"] == name {
                return Ok(event.value);
            }
        }
    }
}

/// A folder for keys, passwords and the browser's profile, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("frostmesh-demo-{}", std::process::id()));
        let mut builder = fs::DirBuilder::new();
        // It holds passwords.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If that fails, the system's folder for temporary files keeps it, with keys of a demo
        // only.
        let _ = fs::remove_dir_all(&self.0);
    }
}
