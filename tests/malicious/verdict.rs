//! What came of a session, and who is said to be to blame.

use frostmesh::node::{Event, Node, PhaseName, Reason, ReasonKind};

use super::net::Net;

pub fn is_idle(node: &Node) -> bool {
    node.view().sessions.iter().all(|s| matches!(s.phase, PhaseName::Done | PhaseName::Aborted))
}

impl Net {
    pub fn phase(&self, id: &str, session: &str) -> Option<PhaseName> {
        let view = self.seats[id].node.as_ref()?.view();
        view.sessions.iter().find(|s| s.session_id.as_str() == session).map(|s| s.phase)
    }

    /// Whether a session stands at a phase or beyond.
    pub fn reached(&self, id: &str, session: &str, phase: PhaseName) -> bool {
        self.phase(id, session).is_some_and(|p| p as u8 >= phase as u8)
    }

    pub fn events<'a>(
        &'a self,
        id: &str,
        is_one: impl Fn(&Event) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Event> {
        self.seats[id].events.iter().filter(move |event| is_one(event))
    }

    /// How often `id` ignored something.
    pub fn ignored(&self, id: &str) -> usize {
        self.events(id, |event| matches!(event, Event::Ignored { .. })).count()
    }

    fn reasons<'a>(&'a self, id: &str, session: &'a str) -> impl Iterator<Item = &'a Reason> {
        self.seats[id].events.iter().filter_map(move |event| match event {
            Event::Aborted { session_id, reason } if session_id.as_str() == session => Some(reason),
            _ => None,
        })
    }

    /// Why a session ended at `id`. It did, once, and made no key.
    pub fn reason(&self, id: &str, session: &str) -> Reason {
        let reasons: Vec<&Reason> = self.reasons(id, session).collect();
        assert_eq!(
            reasons.len(),
            1,
            "{id} ended {session} so many times: {:#?}",
            self.seats[id].events
        );
        assert_eq!(self.phase(id, session), Some(PhaseName::Aborted));
        self.no_wallet(id, session);
        reasons[0].clone()
    }

    pub fn no_wallet(&self, id: &str, session: &str) {
        let seat = &self.seats[id];
        assert!(
            seat.confirmed.iter().all(|(s, _)| s != session),
            "{id} confirmed the key of {session}"
        );
        let made = |e: &Event| matches!(e, Event::WalletCreated { session_id, .. } if session_id.as_str() == session);
        assert!(!seat.events.iter().any(made), "{id} says that it has a wallet of {session}");
    }

    /// Every honest seat that knew the session ended it and names the culprit; `detectors` saw it
    /// themselves, the others did, too, or have it from a detector. Where it is open who sees it
    /// first, `detectors` is empty: any honest one may.
    pub fn blamed(&self, session: &str, detectors: &[&str], kind: ReasonKind, culprit: &str) {
        let honest =
            self.seats.iter().filter(|(_, s)| s.honest && s.node.is_some()).map(|(id, _)| id);
        for id in honest.filter(|id| self.phase(id, session).is_some()) {
            let reason = self.reason(id, session);
            assert_eq!(
                (reason.kind, reason.peer_id.as_ref().map(|p| p.as_str())),
                (kind, Some(culprit)),
                "{id}: {reason:?}"
            );
            match reason.reported_by {
                None => {}
                Some(ref by) => {
                    assert!(
                        !detectors.contains(&id.as_str()),
                        "{id} did not see it itself: {reason:?}"
                    );
                    let believed = if detectors.is_empty() {
                        self.seats[by.as_str()].honest
                    } else {
                        detectors.contains(&by.as_str())
                    };
                    assert!(believed, "{id} has it from {by}: {reason:?}");
                }
            }
            assert!(reason.text.contains(culprit), "{id}: {}", reason.text);
        }
        assert!(detectors.iter().all(|id| self.phase(id, session).is_some()));
    }

    /// All of them hold one confirmed key.
    pub fn done(&self, session: &str, who: &[&str]) {
        let mut keys = Vec::new();
        for id in who {
            let why: Vec<&Reason> = self.reasons(id, session).collect();
            assert_eq!(self.phase(id, session), Some(PhaseName::Done), "{id}, {session}: {why:?}");
            let confirmed = self.seats[*id].confirmed.iter().filter(|(s, _)| s == session);
            let confirmed: Vec<&String> = confirmed.map(|(_, key)| key).collect();
            assert_eq!(confirmed.len(), 1, "{id} confirmed so many keys of {session}");
            assert!(
                self.seats[*id].kept.contains(&(session.to_owned(), confirmed[0].clone())),
                "kept first"
            );
            keys.push(confirmed[0]);
        }
        assert!(
            keys.windows(2).all(|pair| pair[0] == pair[1]),
            "different keys of {session}: {keys:?}"
        );
    }
}
