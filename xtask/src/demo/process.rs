//! The demo's processes: their output arrives as events with a time, and all of them end when the
//! demo ends.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Time for a process to end on its own.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many lines for people are kept of each process.
const KEPT_LINES: usize = 12;

/// One line of JSON that a process wrote, and when it arrived.
pub struct Event {
    pub at: Instant,
    pub from: &'static str,
    pub value: Value,
}

/// The queue of the events of all processes.
pub struct Events {
    sender: Sender<Event>,
    receiver: Receiver<Event>,
}

impl Events {
    /// From now on Ctrl-C is an event as well, so that everything can end cleanly.
    pub fn new() -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let interrupt = sender.clone();
        ctrlc::set_handler(move || {
            let value = json!({ "event": "interrupted" });
            // An error means that the demo is ending already.
            let _ = interrupt.send(Event { at: Instant::now(), from: "you", value });
        })
        .context("listening for Ctrl-C")?;
        Ok(Self { sender, receiver })
    }

    /// The next event. It is an error if a process ended too early, gave up or was interrupted.
    pub fn next(&self, limit: Duration) -> Result<Event> {
        let event = match self.receiver.recv_timeout(limit) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => {
                bail!("Nothing happened for {} seconds.", limit.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => bail!("Nothing is running."),
        };
        let text =
            |field: &str| event.value[field].as_str().unwrap_or("no reason given").to_owned();
        match event.value["event"].as_str().unwrap_or_default() {
            "interrupted" => bail!("Interrupted."),
            "aborted" => bail!("{} gave up: {}", event.from, text("reason")),
            "error" => bail!("{} failed: {}", event.from, text("error")),
            _ => Ok(event),
        }
    }

    /// Waits for Ctrl-C and ignores all other events.
    pub fn until_interrupted(&self) {
        while self.receiver.recv().is_ok_and(|event| event.value["event"] != "interrupted") {}
    }
}

/// A running process.
pub struct Process {
    name: &'static str,
    child: Child,
    said: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    /// Starts it. Its stdin stays open: the browser's script ends when it is closed.
    pub fn start(name: &'static str, command: &mut Command, events: &Events) -> Result<Self> {
        // Ctrl-C reaches only this program, which then ends the others in order.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let stdout = child.stdout.take().context("no stdout")?;
        let stderr = child.stderr.take().context("no stderr")?;
        let (sender, kept) = (events.sender.clone(), Arc::clone(&said));
        thread::spawn(move || {
            for line in lines(stdout) {
                let at = Instant::now();
                match serde_json::from_str(&line) {
                    Ok(value) => {
                        // An error means that the demo is ending already.
                        let _ = sender.send(Event { at, from: name, value });
                    }
                    Err(_) => keep(&kept, line),
                }
            }
            let _ = sender.send(Event {
                at: Instant::now(),
                from: name,
                value: json!({ "event": "exited" }),
            });
        });
        let kept = Arc::clone(&said);
        thread::spawn(move || lines(stderr).for_each(|line| keep(&kept, line)));
        Ok(Self { name, child, said })
    }

    /// Ends the process and returns the last lines that it wrote for people.
    pub fn stop(mut self) -> String {
        self.end();
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: String = said.iter().map(|line| format!("    {line}\n")).collect();
        if lines.is_empty() { lines } else { format!("\n  {} said:\n{lines}", self.name) }
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        if matches!(self.child.try_wait(), Ok(None)) {
            // The standard library can only kill. `kill` sends SIGTERM; Windows has no such
            // command.
            #[cfg(unix)]
            let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        }
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // An error means that it ended in between.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn lines(stream: impl Read) -> impl Iterator<Item = String> {
    BufReader::new(stream).lines().map_while(Result::ok)
}

fn keep(said: &Mutex<VecDeque<String>>, line: String) {
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    if said.len() == KEPT_LINES {
        said.pop_front();
    }
    said.push_back(line);
}
