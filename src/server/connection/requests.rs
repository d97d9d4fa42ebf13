//! The requests of a client and their answers: register, list, relay, and each refusal
//! (docs/PROTOCOL.md, section 1).

use std::ops::ControlFlow;

use super::{Connection, End};
use crate::server::frame::{self, Received};
use crate::server::outbox::Refusal;
use crate::wire::{ClientMessage, ErrorCode, PeerId, ServerMessage, WireError};

impl Connection {
    /// Handles a frame of the client.
    pub(super) fn handle(&mut self, received: Received) -> ControlFlow<End> {
        match received {
            Received::Text(text) => match ClientMessage::parse(&text) {
                Ok(message) => self.request(message),
                Err(error) => self.error(code_of(&error), &advice(&error), None),
            },
            Received::Binary => {
                self.error(
                    ErrorCode::BadMessage,
                    "binary frames are not understood: send JSON in text frames",
                    None,
                );
            }
            Received::Ping(payload) => self.outbox.answer(frame::pong(payload)),
            Received::Pong => {}
            Received::Close(code) => return ControlFlow::Break(End::Close(code, "")),
        }
        ControlFlow::Continue(())
    }

    fn request(&mut self, message: ClientMessage) {
        match message {
            ClientMessage::Register { peer_id, claim, .. } => self.register(peer_id, claim),
            ClientMessage::ListPeers => self.outbox.answer(self.shared.peers.list()),
            ClientMessage::Relay { to, data } => {
                let Some(from) = &self.id else {
                    return self.error(
                        ErrorCode::NotRegistered,
                        "send 'register' before 'relay'",
                        Some(to),
                    );
                };
                if *from == to {
                    return self.error(
                        ErrorCode::BadMessage,
                        "'to' is your own peer id: name another peer",
                        Some(to),
                    );
                }
                let sent = match self.shared.peers.find(&to) {
                    None => Err(Refusal::Gone),
                    Some(target) => {
                        let relayed = frame::text(
                            ServerMessage::Relay { from: from.clone(), data }.to_json(),
                        );
                        target.relay(
                            relayed,
                            self.outbox.number(),
                            &self.shared.limits,
                            &self.shared.budget,
                        )
                    }
                };
                let (code, text) = match sent {
                    Ok(()) => return,
                    Err(Refusal::Gone) => (
                        ErrorCode::TargetOffline,
                        format!(
                            "no peer is registered as '{to}': 'list_peers' tells who is; try again later"
                        ),
                    ),
                    Err(Refusal::Full) => (
                        ErrorCode::RateLimited,
                        format!(
                            "'{to}' does not read fast enough, the message was dropped: send it again later"
                        ),
                    ),
                };
                self.error(code, &text, Some(to));
            }
        }
    }

    fn register(&mut self, wanted: PeerId, claim: Option<[u8; 32]>) {
        match &self.id {
            // A repeat changes nothing.
            Some(id) if *id == wanted => {}
            Some(id) => {
                let text =
                    format!("this connection is '{id}' already: open another one for '{wanted}'");
                self.error(ErrorCode::AlreadyRegistered, &text, None);
            }
            None => match self.shared.peers.claim(&wanted, &self.outbox, claim) {
                Ok(()) => self.id = Some(wanted),
                Err(holder) => {
                    // The holder may be a dead connection of this very peer, which the server does
                    // not know yet.
                    holder.probe();
                    let wait = self.shared.limits.probe_timeout.as_secs() + 1;
                    let text = format!(
                        "'{wanted}' is taken by another connection: choose another id, or, if that one was yours and is \
                         dead, try again in {wait} s"
                    );
                    self.error(ErrorCode::PeerIdTaken, &text, None);
                }
            },
        }
    }

    /// Refuses a request. `peer_id` is the target, where the request was a `relay`.
    pub(super) fn error(&self, code: ErrorCode, text: &str, peer_id: Option<PeerId>) {
        let message = ServerMessage::Error { error: text.to_owned(), code: Some(code), peer_id };
        self.outbox.answer(frame::text(message.to_json()));
    }
}

fn code_of(error: &WireError) -> ErrorCode {
    match error {
        WireError::PeerId(_) => ErrorCode::BadPeerId,
        WireError::TooLarge { .. } => ErrorCode::TooLarge,
        _ => ErrorCode::BadMessage,
    }
}

/// The text of an error: what is wrong with the message, and what to send instead.
fn advice(error: &WireError) -> String {
    match error {
        WireError::Malformed(_) => {
            format!("{error}: send one JSON object in each text frame, with a 'type'")
        }
        WireError::UnknownType(_) => format!("{error}: use 'register', 'list_peers' or 'relay'"),
        _ => error.to_string(),
    }
}
