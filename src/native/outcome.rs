//! What ends a command that a member of a wallet carries out, and how: judged by events, in this
//! process or in the node that runs here, which then tells it over the control socket.

use serde::{Deserialize, Serialize};

use super::exit::{Exit, Failure};
use super::report::Reporter;
use crate::api::{Command, Event, RequestState};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The request is signed: the signatures of all items in their order, as hex.
    Signed(Vec<String>),
    /// So many members declined that the request cannot be signed.
    Declined,
    /// The health check is over. True when every member has signed.
    Checked(bool),
}

impl Outcome {
    /// What an event means for a command that waits for a request's id, or for a wallet. `None`
    /// while it goes on.
    pub(super) fn of(command: &Command, awaits: &str, event: &Event) -> Option<Self> {
        match (command, event) {
            (
                Command::Request { .. }
                | Command::ApproveRequest { .. }
                | Command::DeclineRequest { .. },
                Event::Signature { request, signatures, .. },
            ) if request == awaits => {
                Some(Self::Signed(signatures.iter().map(|one| one.signature.clone()).collect()))
            }
            (
                Command::Request { .. },
                Event::Voted { request, state: RequestState::Declined, .. },
            ) if request == awaits => Some(Self::Declined),
            (Command::Check { .. }, Event::Checked { pubkey, failed, .. }) if pubkey == awaits => {
                Some(Self::Checked(failed.is_empty()))
            }
            _ => None,
        }
    }

    /// Reports it, and makes it the command's result.
    pub(super) fn finish(self, reporter: &Reporter) -> Result<(), Failure> {
        match self {
            Self::Signed(signatures) => {
                reporter.results("signature", &signatures);
                Ok(())
            }
            Self::Declined => {
                let why = "so many members declined that it cannot be signed";
                reporter.aborted(None, why, None);
                Err(Failure::told(Exit::Aborted))
            }
            Self::Checked(true) => Ok(()),
            Self::Checked(false) => Err(Failure::told(Exit::Other)),
        }
    }
}
