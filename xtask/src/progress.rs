//! The output of a task for people: one line for each step, with its duration. Everything else goes
//! to a log file.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::project::Project;
use crate::run::Log;

/// Prints the steps of one task.
pub struct Progress<'a> {
    project: &'a Project,
}

impl<'a> Progress<'a> {
    /// Announces a task and the steps that follow.
    pub fn begin(project: &'a Project, title: &str) -> Self {
        println!("{title}");
        Self { project }
    }

    /// Runs a step. Its line shows the name, the note that it left in the log, and the duration or
    /// the failure.
    pub fn step<T>(&self, name: &str, work: impl FnOnce(&mut Log) -> Result<T>) -> Result<T> {
        let mut log = Log::new(self.project, name);
        let started = Instant::now();
        let running = Running::start(name);
        let result = work(&mut log);
        running.stop();
        let mark = if result.is_ok() { '✓' } else { '✗' };
        let note = if result.is_ok() { log.note.as_str() } else { "failed" };
        println!("  {mark} {name:<24} {note:<36} {:>9}", duration(started.elapsed()));
        result
    }
}

/// A duration for people: `0.3 s`, `12 s`, `2 min 13 s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match time.as_secs() {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{seconds:.0} s"),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

/// Shows that a step is still running: every second on a terminal, every minute elsewhere.
struct Running {
    stop: Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Running {
    fn start(name: &str) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let name = name.to_owned();
        let thread = thread::spawn(move || {
            let terminal = std::io::stdout().is_terminal();
            let pause = Duration::from_secs(if terminal { 1 } else { 60 });
            let started = Instant::now();
            if terminal {
                show(&format!("\r  … {name}"));
            }
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let elapsed = duration(started.elapsed());
                if terminal {
                    show(&format!("\r  … {name:<61} {elapsed:>9}"));
                } else {
                    println!("  … {name}, {elapsed} so far");
                }
            }
            if terminal {
                show("\r\x1b[2K");
            }
        });
        Self { stop, thread }
    }

    fn stop(self) {
        drop(self.stop);
        // The thread only prints. If it panicked, the step's result still counts.
        let _ = self.thread.join();
    }
}

fn show(text: &str) {
    let mut out = std::io::stdout();
    // A closed stdout must not stop the work.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
