//! Peers that fall silent or go away, and a server that does. Only `WakeAt` moves the clock.

use frostmesh::node::{Command, Event, PhaseName, ReasonKind};

use super::messages::STEPS;
use super::net::{Net, Said};
use super::{attacked, rewriting, without_farewell};

/// Alice and bob, and one more of that name, who offers or answers by it.
fn with(evil: &str, tamper: impl FnMut(&Said) -> Vec<String> + 'static) -> Net {
    let mut net = Net::new(&["alice", "bob"]);
    net.evil(evil, without_farewell(tamper));
    net.propose("alice", "s", &["alice", "bob", evil], 2);
    net
}

const NAMES: [&str; 2] = ["aaron", "mallory"];

// ---- silent ----

#[test]
fn a_peer_that_never_answers_a_proposal_is_named_at_the_deadline() {
    for evil in NAMES {
        let mut net = with(evil, |_| Vec::new());
        net.settle();
        assert!((300_000..=340_000).contains(&net.now), "{}", net.now);
        net.blamed("s", &[], ReasonKind::TimedOut, evil);
    }
}

#[test]
fn a_peer_that_accepts_and_never_connects_is_named_at_the_deadline() {
    for evil in NAMES {
        let mut net =
            with(
                evil,
                |said| if said.json["sdp"].is_null() { vec![said.text()] } else { Vec::new() },
            );
        net.settle();
        net.blamed("s", &[], ReasonKind::TimedOut, evil);
    }
}

#[test]
fn a_peer_that_keeps_a_step_to_itself_is_named_at_the_deadline() {
    for (evil, step) in NAMES.iter().flat_map(|evil| STEPS.map(|step| (*evil, step))) {
        let mut net = with(evil, rewriting(step, |_| Vec::new()));
        net.settle();
        assert!(net.now < 130_000, "{step}: {}", net.now);
        // By the last step the peer has its key, and closes its channels before the deadline.
        let kind =
            if step == "wallet_created" { ReasonKind::PeerLost } else { ReasonKind::TimedOut };
        net.blamed("s", &[], kind, evil);
    }
}

#[test]
fn a_peer_that_says_nothing_from_a_step_on_is_named_at_the_deadline() {
    for (evil, last) in NAMES.iter().flat_map(|evil| STEPS.map(|step| (*evil, step))) {
        let mut silent = false;
        let mut net = with(evil, move |said| {
            silent |= said.kind == last && !said.relay;
            if silent { Vec::new() } else { vec![said.text()] }
        });
        net.settle();
        let kind =
            if last == "wallet_created" { ReasonKind::PeerLost } else { ReasonKind::TimedOut };
        net.blamed("s", &[], kind, evil);
    }
}

/// The one who lacks the step knows whose it is; the other, who waits for the first in turn, must
/// not think otherwise.
#[test]
fn a_step_withheld_from_one_is_not_laid_at_the_door_of_the_one_who_lacks_it() {
    let mut misnamed = Vec::new();
    for (evil, victim) in
        NAMES.iter().flat_map(|evil| ["alice", "bob"].map(|victim| (*evil, victim)))
    {
        for step in STEPS {
            let tamper =
                move |said: &Said| if said.to == victim { Vec::new() } else { vec![said.text()] };
            let mut net = with(evil, rewriting(step, tamper));
            net.settle();
            let reason = net.reason(victim, "s");
            assert_eq!(
                (reason.peer_id.unwrap().as_str(), reason.reported_by),
                (evil, None),
                "{victim}, {step}"
            );
            let other = if victim == "alice" { "bob" } else { "alice" };
            if step == "wallet_created" {
                assert_eq!(net.phase(other, "s"), Some(PhaseName::Done)); // it has all that it needs
                continue;
            }
            let reason = net.reason(other, "s");
            assert_eq!(reason.kind, ReasonKind::TimedOut);
            if reason.peer_id.as_ref().map(|p| p.as_str()) != Some(evil) {
                misnamed.push(format!(
                    "{evil} withholds {step} from {victim}; {other}: {}",
                    reason.text
                ));
            }
        }
    }
    assert!(misnamed.is_empty(), "{misnamed:#?}");
}

/// Nobody can tell which of two ends a channel fails at; but it was not alice.
#[test]
fn a_channel_that_never_opens_names_its_two_ends() {
    for evil in NAMES {
        let mut net = with(evil, |said| {
            let to_bob = said.to == "bob" && !said.json["sdp"].is_null();
            if to_bob { Vec::new() } else { vec![said.text()] }
        });
        net.settle();
        for id in ["alice", "bob"] {
            let reason = net.reason(id, "s");
            assert_eq!(reason.kind, ReasonKind::TimedOut);
            assert!(
                reason.text.contains(evil) && reason.peer_id.is_none_or(|p| p.as_str() == evil),
                "{}",
                reason.text
            );
        }
    }
}

// ---- away ----

#[test]
fn a_peer_that_goes_away_before_it_has_a_channel_is_named_at_the_deadline() {
    let mut net = attacked(|said| vec![said.text()]);
    net.crash("mallory");
    net.settle();
    net.blamed("s", &[], ReasonKind::TimedOut, "mallory");
}

#[test]
fn a_peer_that_goes_away_in_a_round_is_named() {
    for phase in [PhaseName::Meshing, PhaseName::Round1, PhaseName::Round2, PhaseName::Confirming] {
        let mut net = attacked(|said| vec![said.text()]);
        let met = |net: &Net, id| {
            net.events(id, |e| matches!(e, Event::PeerConnected { .. })).count() == 2
        };
        net.run_until("the phase", |net| {
            met(net, "alice")
                && met(net, "bob")
                && ["alice", "bob"].iter().all(|id| net.reached(id, "s", phase))
        });
        net.crash("mallory");
        let since = net.now;
        net.settle();
        net.blamed("s", &[], ReasonKind::PeerLost, "mallory");
        assert!(
            net.now - since <= 10_000 + 30_000,
            "within its ten seconds: {phase:?}, {}",
            net.now
        );
    }
}

/// At every moment that there is: everyone alive ends, nobody blames the living, and never half a
/// wallet without a reason.
#[test]
fn a_peer_that_goes_away_at_any_moment_ends_the_session_for_all_or_for_nobody() {
    let (mut done, mut ended) = (0, 0);
    for moment in 0.. {
        let mut net = attacked(|said| vec![said.text()]);
        net.steps(moment);
        let over = !net.step();
        net.crash("mallory");
        net.settle();
        let phases = ["alice", "bob"].map(|id| net.phase(id, "s").unwrap());
        if phases == [PhaseName::Done; 2] {
            net.done("s", &["alice", "bob"]);
            done += 1;
        } else {
            for id in ["alice", "bob"]
                .into_iter()
                .filter(|id| net.phase(id, "s") == Some(PhaseName::Aborted))
            {
                let reason = net.reason(id, "s");
                assert!(
                    matches!(reason.kind, ReasonKind::PeerLost | ReasonKind::TimedOut),
                    "{moment}: {reason:?}"
                );
                assert_eq!(
                    reason.peer_id.as_ref().map(|p| p.as_str()),
                    Some("mallory"),
                    "{moment}: {reason:?}"
                );
            }
            // One may have mallory's last word when the other lost it.
            let last_word = phases.contains(&PhaseName::Done);
            assert!(
                !last_word || net.seats.values().all(|s| !s.honest || s.kept.len() == 1),
                "{moment}"
            );
            ended += 1;
        }
        if over {
            break;
        }
    }
    assert!(done > 0 && ended > 50, "{done} {ended}");
}

// ---- the server ----

#[test]
fn a_server_that_goes_away_before_the_mesh_is_up_ends_the_session() {
    for steps in [1, 5, 10, 15] {
        let mut net = attacked(|said| vec![said.text()]);
        net.steps(steps);
        net.server_down();
        net.settle();
        for id in ["alice", "bob"] {
            if net.phase(id, "s").is_some() {
                let reason = net.reason(id, "s");
                assert_eq!(
                    (reason.kind, reason.peer_id),
                    (ReasonKind::ServerLost, None),
                    "{steps}"
                );
            }
        }
    }
}

#[test]
fn a_server_that_goes_away_while_the_person_decides_ends_the_session() {
    let mut net = Net::new(&["alice", "bob"]);
    net.seat("bob").accepts = false;
    net.propose("alice", "s", &["alice", "bob"], 2);
    net.run();
    net.server_down();
    net.settle();
    for id in ["alice", "bob"] {
        assert_eq!(net.reason(id, "s").kind, ReasonKind::ServerLost);
    }
    let accept = Command::Accept { session_id: "s".parse().unwrap(), allow_unverified: true };
    assert!(net.command("bob", accept).is_err());
}

#[test]
fn a_server_that_goes_away_once_the_mesh_is_up_changes_nothing() {
    for phase in [
        PhaseName::Meshing,
        PhaseName::Round1,
        PhaseName::Round2,
        PhaseName::Confirming,
        PhaseName::Done,
    ] {
        let mut net = attacked(|said| vec![said.text()]);
        let ready =
            |net: &Net, id| net.events(id, |e| matches!(e, Event::MeshReady { .. })).count() == 1;
        net.run_until("the mesh is up", |net| {
            ["alice", "bob", "mallory"]
                .iter()
                .all(|id| ready(net, id) && net.reached(id, "s", phase))
        });
        net.server_down();
        net.settle();
        net.done("s", &["alice", "bob", "mallory"]);
    }
}

#[test]
fn a_server_that_goes_away_at_any_moment_ends_the_session_for_all_or_for_nobody() {
    let (mut done, mut ended) = (0, 0);
    for moment in 0.. {
        let mut net = Net::new(&["alice", "bob", "carol"]);
        net.propose("alice", "s", &["alice", "bob", "carol"], 2);
        net.steps(moment);
        let over = !net.step();
        net.server_down();
        net.settle();
        if net.phase("alice", "s") == Some(PhaseName::Done) {
            net.done("s", &["alice", "bob", "carol"]);
            done += 1;
        } else {
            for id in
                ["alice", "bob", "carol"].into_iter().filter(|id| net.phase(id, "s").is_some())
            {
                assert_eq!(net.reason(id, "s").kind, ReasonKind::ServerLost, "{moment}");
            }
            ended += 1;
        }
        if over {
            break;
        }
    }
    assert!(done > 20 && ended > 20, "{done} {ended}");
}
