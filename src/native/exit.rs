//! Exit codes, and the error that carries one out of a command.

use std::fmt;
use std::process::ExitCode;

/// Why a command ends without success. The number is part of the interface: scripts depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 1: anything that has no number of its own.
    Other,
    /// 2: the arguments make no sense.
    Usage,
    /// 3: the signaling server was not reachable, or went away.
    Server,
    /// 4: the session ended without a key.
    Aborted,
    /// 5: a deadline passed.
    TimedOut,
    /// 6: a wrong password, or no such wallet.
    Keystore,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::Server => 3,
            Self::Aborted => 4,
            Self::TimedOut => 5,
            Self::Keystore => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command's failure: its exit code, and a text for the person. No text if it was printed
/// already.
#[derive(Debug)]
pub(super) struct Failure {
    pub exit: Exit,
    pub text: Option<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Self { exit, text: Some(text.to_string()) }
    }

    /// A failure that has been reported already.
    pub(super) fn told(exit: Exit) -> Self {
        Self { exit, text: None }
    }
}

/// Adds an exit code to an error of a library.
pub(super) trait OrExit<T> {
    fn or_exit(self, exit: Exit, what: &str) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit, what: &str) -> Result<T, Failure> {
        self.map_err(|e| Failure::new(exit, format_args!("{what}: {e}")))
    }
}
