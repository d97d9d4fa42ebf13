//! The process that is killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const PASSWORD: &str = "correct horse";

/// The program, with a folder of keys: that of FROSTMESH_BIN, or the one that was built with the
/// tests.
pub fn program(folder: &Path, arguments: &[&str]) -> Command {
    let built = || env!("CARGO_BIN_EXE_frostmesh").into();
    let mut command = Command::new(std::env::var_os("FROSTMESH_BIN").unwrap_or_else(built));
    command.args(arguments).arg("--data-dir").arg(folder).env("FROSTMESH_PASSWORD", PASSWORD);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Starts it. What it says is in the file `said`.
fn spawn(folder: &Path, arguments: &[&str]) -> Child {
    let said = File::create(folder.join("said")).unwrap();
    program(folder, arguments).arg("--verbose").stderr(said).spawn().unwrap()
}

/// When the process is killed.
#[derive(Debug, Clone, Copy)]
pub enum Trigger {
    /// As soon as that many files more than now are in the folder of its audit trail, those
    /// included that are being written.
    Files(usize),
    /// After that time.
    After(Duration),
}

/// `frostmesh node`, which approves whatever it is asked.
pub struct Node {
    folder: PathBuf,
    trail: PathBuf,
    arguments: Vec<String>,
    child: Arc<Mutex<Child>>,
    killer: Option<std::thread::JoinHandle<()>>,
}

impl Node {
    pub fn start(folder: &Path, pubkey: &str, arguments: &[&str]) -> Self {
        let child = spawn(folder, arguments);
        Self {
            folder: folder.to_owned(),
            trail: folder.join("trail").join(pubkey),
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            child: Arc::new(Mutex::new(child)),
            killer: None,
        }
    }

    pub fn restart(&mut self) {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        *self.child.lock().unwrap() = spawn(&self.folder, &arguments);
    }

    /// Watches it, and kills it then; after a while in any case.
    pub fn kill_when(&mut self, trigger: Trigger) {
        const LONGEST: Duration = Duration::from_millis(300);
        let (child, trail, started) = (self.child.clone(), self.trail.clone(), Instant::now());
        let files = move || std::fs::read_dir(&trail).map_or(0, Iterator::count);
        let before = files();
        self.killer = Some(std::thread::spawn(move || {
            let due = || match trigger {
                Trigger::Files(more) => files() >= before + more || started.elapsed() > LONGEST,
                Trigger::After(time) => started.elapsed() > time,
            };
            while !due() {
                std::thread::yield_now();
            }
            let mut child = child.lock().unwrap();
            assert_eq!(child.try_wait().unwrap(), None, "it went on until then");
            child.kill().unwrap(); // SIGKILL
            child.wait().unwrap();
        }));
    }

    /// Waits until that has happened.
    pub async fn killed(&mut self) {
        let killer = self.killer.take().unwrap();
        tokio::task::spawn_blocking(|| killer.join()).await.unwrap().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill(); // it may have been already
        let _ = child.wait();
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.folder.join("said")).unwrap_or_default());
        }
    }
}
