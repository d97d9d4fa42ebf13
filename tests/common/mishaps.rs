//! What goes wrong in a world: channels that break or stall, a server that goes away, nodes that
//! are gone.

use frostmesh::node::SocketEvent;
use frostmesh::node::{Command, Input};

use super::server::Socket;
use super::weather::Mishap;
use super::webrtc::{HalfId, Pipe};
use super::world::{Happening, World};

impl World {
    pub fn mishap_at(&mut self, at: u64, mishap: Mishap) {
        self.at(at, Happening::Mishap(mishap));
    }

    pub(super) fn strike(&mut self, mishap: Mishap) {
        self.note(|| format!("** {mishap:?}"));
        match mishap {
            Mishap::Cut => {
                let alive: Vec<usize> = self.open_pipes();
                if !alive.is_empty() {
                    let number = *self.luck.pick(&alive);
                    self.cut(number);
                }
            }
            Mishap::Stall(time) => {
                let alive: Vec<usize> = self.open_pipes();
                if !alive.is_empty() {
                    let number = *self.luck.pick(&alive);
                    self.stall(number, time);
                }
            }
            Mishap::ServerConnection { silent } => {
                let sockets = self.server.sockets();
                if !sockets.is_empty() {
                    let socket = *self.luck.pick(&sockets);
                    self.break_socket(socket, silent);
                }
            }
            Mishap::ServerAway(time) => self.server_away(time),
            Mishap::Crash => {
                if let Some(seat) = self.anyone_alive() {
                    self.crash(seat);
                }
            }
            Mishap::Cancel => {
                let Some(seat) = self.anyone_alive() else { return };
                for session_id in self.seats[seat].accepted.clone() {
                    if self.input(seat, Input::Command(Command::Cancel { session_id })).is_ok() {
                        self.struck.insert("cancel");
                    }
                }
            }
        }
    }

    /// A node that has not crashed yet: two of two may have.
    fn anyone_alive(&mut self) -> Option<usize> {
        let alive: Vec<usize> = (0..self.seats.len()).filter(|s| self.is_alive(*s)).collect();
        (!alive.is_empty()).then(|| *self.luck.pick(&alive))
    }

    fn open_pipes(&self) -> Vec<usize> {
        let open =
            |pipe: &Pipe| pipe.alive && pipe.ends.iter().all(|end| self.halves.0.contains_key(end));
        (0..self.pipes.len()).filter(|n| open(&self.pipes[*n])).collect()
    }

    fn cut(&mut self, number: usize) {
        self.struck.insert("cut");
        self.pipes[number].alive = false;
        for end in self.pipes[number].ends.clone() {
            let at = self.now + self.luck.between(self.weather.notice);
            self.close_at(end, at, "the connection broke");
        }
    }

    /// Breaks every channel of one seat.
    pub fn cut_off(&mut self, seat: usize) {
        for number in self.open_pipes() {
            if self.pipes[number].ends.iter().any(|end| end.seat == seat) {
                self.cut(number);
            }
        }
    }

    fn stall(&mut self, number: usize, time: u64) {
        self.struck.insert("stall");
        let until = self.now + time;
        self.pipes[number].stalled_until = until;
        for end in self.pipes[number].ends.clone() {
            let told = self.now + self.luck.between((0, 1_000));
            for (at, stalled) in [(told, true), (until.max(told) + 1, false)] {
                let input = Input::DataChannelInterrupted {
                    peer: end.peer.clone(),
                    attempt: end.attempt,
                    interrupted: stalled,
                };
                self.at(at, Happening::ToHalf(end.clone(), input));
            }
        }
    }

    /// The connection of a node to the server breaks; the server notices some time later.
    pub fn break_socket(&mut self, socket: Socket, silent: bool) {
        self.struck.insert("server");
        let (seat, number) = socket;
        if silent {
            // Nothing passes any more, and nobody says so.
            if self.seats[seat].socket == Some(number) {
                self.server.gone(socket);
            }
        } else {
            let reason = "the connection broke".to_owned();
            self.after((0, 500), Happening::ToSocket(socket, SocketEvent::Closed { reason }));
            self.after((0, 3_000), Happening::SocketGone(socket));
        }
    }

    pub fn server_away(&mut self, time: u64) {
        self.struck.insert("server");
        self.server_up = false;
        for socket in self.server.sockets() {
            self.server.gone(socket);
            let reason = "the server went away".to_owned();
            self.after((0, 500), Happening::ToSocket(socket, SocketEvent::Closed { reason }));
        }
        if time < u64::MAX {
            self.at(self.now + time, Happening::ServerBack);
        }
    }

    /// A node is gone for good.
    pub fn crash(&mut self, seat: usize) {
        self.struck.insert("crash");
        self.seats[seat].node = None;
        if let Some(number) = self.seats[seat].socket {
            self.after((0, 3_000), Happening::SocketGone((seat, number)));
        }
        let mine: Vec<HalfId> =
            self.halves.0.keys().filter(|id| id.seat == seat).cloned().collect();
        for id in mine {
            let Some((number, side)) = self.halves.0.remove(&id).and_then(|half| half.pipe) else {
                continue;
            };
            if self.luck.percent(50) {
                self.pipes[number].alive = false; // what was on its way is lost
            }
            let at = self.now + self.luck.between(self.weather.notice);
            self.close_at(self.pipes[number].ends[1 - side].clone(), at, "the other side is gone");
        }
    }
}
