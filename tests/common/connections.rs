//! Connections between the nodes of a world, as their drivers would handle them.

use frostmesh::node::Input;
use frostmesh::wire::IceCandidate;
use zeroize::Zeroizing;

use super::webrtc::{HalfId, Pipe};
use super::world::{Happening, World};

impl World {
    /// The driver has made a description, and finds candidates before and after.
    pub(super) fn describe(&mut self, id: HalfId, sdp: String) {
        let (peer, attempt) = (id.peer.clone(), id.attempt);
        let candidates = self.luck.between((1, 3));
        for n in 0..candidates {
            let candidate = IceCandidate {
                candidate: format!("candidate:{n} {sdp}"),
                sdp_mid: None,
                sdp_m_line_index: Some(0),
            };
            let input = Input::LocalCandidate { peer: peer.clone(), attempt, candidate };
            self.after((1, 40), Happening::ToHalf(id.clone(), input));
        }
        self.after((1, 30), Happening::ToHalf(id, Input::LocalDescription { peer, attempt, sdp }));
    }

    pub(super) fn hand_to_half(&mut self, id: HalfId, input: Input) {
        let Some(half) = self.halves.0.get_mut(&id) else { return };
        match &input {
            Input::LocalDescription { sdp, .. } => half.local = Some(sdp.clone()),
            Input::ConnectionClosed { .. } => {
                self.halves.0.remove(&id);
            }
            _ => {}
        }
        let _ = self.input(id.seat, input);
        self.try_to_open(&id);
    }

    pub(super) fn try_to_open(&mut self, id: &HalfId) {
        let Some(other_seat) = self.seat_of(&id.peer) else { return };
        let me = self.seats[id.seat].id.clone();
        let Some(partner) = self.halves.partner(id, &me, other_seat) else { return };
        let number = self.pipes.len();
        for (side, end) in [id, &partner].into_iter().enumerate() {
            if let Some(half) = self.halves.0.get_mut(end) {
                half.pipe = Some((number, side));
            }
        }
        self.pipes.push(Pipe {
            ends: [id.clone(), partner],
            opened: [false; 2],
            early: [Vec::new(), Vec::new()],
            alive: true,
            stalled_until: 0,
            last: [0; 2],
        });
        for side in 0..2 {
            let at = self.now
                + self.luck.between(self.weather.latency)
                + self.luck.between(self.weather.open_skew);
            self.at(at, Happening::Opened(number, side));
        }
    }

    pub(super) fn opened(&mut self, number: usize, side: usize) {
        let both = self.pipes[number].ends.iter().all(|end| self.halves.0.contains_key(end));
        if !(self.pipes[number].alive && both) {
            return;
        }
        self.pipes[number].opened[side] = true;
        let end = self.pipes[number].ends[side].clone();
        let _ = self.input(
            end.seat,
            Input::DataChannelOpened { peer: end.peer.clone(), attempt: end.attempt },
        );
        for text in std::mem::take(&mut self.pipes[number].early[side]) {
            self.at(self.now, Happening::Deliver { pipe: number, to: side, text });
        }
    }

    pub(super) fn send(&mut self, id: &HalfId, text: String) {
        let Some((number, side)) = self.halves.0.get(id).and_then(|half| half.pipe) else { return };
        let text = self.as_heard(text);
        let to = 1 - side;
        let mut at = self.now + self.luck.between(self.weather.latency);
        let pipe = &mut self.pipes[number];
        at = at.max(pipe.last[to]).max(pipe.stalled_until);
        pipe.last[to] = at;
        if self.luck.percent(self.weather.channel_repeat) {
            let again = at + self.luck.below(500);
            self.at(again, Happening::Deliver { pipe: number, to, text: text.clone() });
        }
        self.at(at, Happening::Deliver { pipe: number, to, text });
    }

    /// Sends any text over the channel that is open between two seats.
    pub fn inject(&mut self, from: usize, to: usize, text: &str) {
        let to = self.seats[to].id.clone();
        let open = self
            .halves
            .0
            .iter()
            .filter(|(id, half)| id.seat == from && id.peer == to && half.pipe.is_some());
        let id = open.map(|(id, _)| id.clone()).next_back().expect("no channel is open");
        self.send(&id, text.to_owned());
    }

    pub(super) fn deliver(&mut self, number: usize, to: usize, text: String) {
        let pipe = &mut self.pipes[number];
        if !pipe.alive || !self.halves.0.contains_key(&pipe.ends[to]) {
            return;
        }
        if pipe.stalled_until > self.now {
            let at = pipe.stalled_until;
            return self.at(at, Happening::Deliver { pipe: number, to, text });
        }
        if !pipe.opened[to] {
            if self.weather.early_lost {
                self.struck.insert("early_lost");
            } else {
                pipe.early[to].push(text);
            }
            return;
        }
        let end = pipe.ends[to].clone();
        let input = Input::DataChannelText {
            peer: end.peer,
            attempt: end.attempt,
            text: Zeroizing::new(text),
        };
        let _ = self.input(end.seat, input);
    }

    /// A driver closes its half: what it sent still arrives, what was on its way to it does not.
    pub(super) fn close(&mut self, id: &HalfId) {
        let Some(half) = self.halves.0.remove(id) else { return };
        if let Some((number, side)) = half.pipe {
            let other = self.pipes[number].ends[1 - side].clone();
            let at = self.pipes[number].last[1 - side].max(self.now)
                + self.luck.between(self.weather.notice);
            self.close_at(other, at, "the other side closed it");
        }
    }

    pub(super) fn close_at(&mut self, id: HalfId, at: u64, reason: &str) {
        let (peer, attempt) = (id.peer.clone(), id.attempt);
        let input = Input::ConnectionClosed { peer, attempt, reason: reason.to_owned() };
        self.at(at, Happening::ToHalf(id, input));
    }
}
