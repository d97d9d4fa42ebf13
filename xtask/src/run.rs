//! Runs other programs: their output goes to a log, and a failure shows the end of the log and what
//! to do.

use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::project::Project;

/// How many lines of a log a failure shows.
const TAIL_LINES: usize = 40;

/// The log of one step. Its file is created when the first program runs.
pub struct Log {
    path: PathBuf,
    shown: String,
    file: Option<File>,
    /// The note in the step's line, such as `already there`.
    pub note: String,
}

impl Log {
    /// The log of the step with this name.
    pub fn new(project: &Project, step: &str) -> Self {
        let name: String = step
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
            .collect();
        let path = project.logs().join(format!("{name}.log"));
        Self { shown: project.show(&path).to_string(), path, file: None, note: String::new() }
    }

    /// Sets the note of the step's line.
    pub fn note(&mut self, note: impl Into<String>) {
        self.note = note.into();
    }

    /// Everything that was logged so far.
    pub fn text(&self) -> String {
        fs::read(&self.path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Runs a program to its end. An exit code other than 0 is an error that holds the end of its
    /// output.
    pub fn run(&mut self, command: &mut Command) -> Result<()> {
        self.run_within(None, command)
    }

    /// The same, with a time limit. It is an error if the program takes longer; it is ended then.
    pub fn run_within(&mut self, limit: Option<Duration>, command: &mut Command) -> Result<()> {
        let shown = show(command);
        let file = self.file()?;
        let start = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file.try_clone()?)
            .spawn()
            .with_context(|| cannot_run(command))?;
        let deadline = limit.map(|limit| Instant::now() + limit);
        let status = loop {
            match deadline {
                None => break child.wait()?,
                Some(deadline) => {
                    if let Some(status) = child.try_wait()? {
                        break status;
                    }
                    if Instant::now() >= deadline {
                        child.kill()?;
                        child.wait()?;
                        bail!("`{shown}` took too long and was ended.{}", self.tail(start));
                    }
                    thread::sleep(Duration::from_millis(50));
                }
            }
        };
        if status.success() {
            Ok(())
        } else {
            bail!("`{shown}` failed: {}.{}", ended(status), self.tail(start))
        }
    }

    fn file(&mut self) -> Result<&File> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)
                    .with_context(|| format!("making {}", folder.display()))?;
            }
            // With append mode, programs that share the file write whole lines, in order.
            fs::write(&self.path, "")
                .with_context(|| format!("writing {}", self.path.display()))?;
            self.file = Some(File::options().append(true).open(&self.path)?);
        }
        self.file.as_ref().context("the log is not open")
    }

    fn tail(&self, start: u64) -> String {
        let bytes = fs::read(&self.path).unwrap_or_default();
        let from = usize::try_from(start).unwrap_or_default().min(bytes.len());
        let text = String::from_utf8_lossy(&bytes[from..]);
        let lines: Vec<&str> = text.lines().collect();
        if lines.is_empty() {
            return String::new();
        }
        let last = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n    ");
        format!(" The end of {}:\n\n    {last}\n", self.shown)
    }
}

/// The output of a program on stdout, trimmed. An error shows its stderr.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_run(command))?;
    if !output.status.success() {
        let shown = show(command);
        bail!(
            "`{shown}` failed: {}.\n{}",
            ended(output.status),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program in the foreground, with the terminal.
pub fn foreground(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_run(command))?;
    if status.success() { Ok(()) } else { bail!("`{}` failed: {}.", show(command), ended(status)) }
}

/// Adds to an error what the person can do about it.
pub trait Advise<T> {
    /// The advice is a sentence or two.
    fn advise(self, advice: impl Display) -> Result<T>;
}

impl<T> Advise<T> for Result<T> {
    fn advise(self, advice: impl Display) -> Result<T> {
        self.map_err(|error| anyhow!("{error:#}\n\nWhat to do: {advice}"))
    }
}

/// An error with its causes, for people.
pub fn explain(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join("\n  because: ")
}

/// The value of `--version` output such as `wasm-bindgen 0.2.130`: the first word that begins with
/// a digit.
pub fn version_of(program: &Path) -> Option<String> {
    let text = output(Command::new(program).arg("--version")).ok()?;
    let word = text.split_whitespace().map(|word| word.trim_start_matches('v'));
    word.into_iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

/// The number before the first dot.
pub fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

fn cannot_run(command: &Command) -> String {
    format!("cannot run `{}`", command.get_program().to_string_lossy())
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => "ended by a signal".to_owned(),
    }
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args()).map(|word| word.to_string_lossy());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
