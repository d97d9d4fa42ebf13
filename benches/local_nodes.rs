//! Time from the last acceptance to the last confirmed key, for nodes on this machine: real server,
//! real WebRTC, real disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[cfg(target_family = "wasm")]
fn main() {}

#[cfg(not(target_family = "wasm"))]
fn main() {
    let runs = std::env::var("FROSTMESH_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("accepted by all -> key confirmed by all, {runs} runs each");
    for total in [3, 5] {
        let mut times: Vec<f64> =
            (0..runs).map(|run| runtime.block_on(native::session(total, run))).collect();
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        let budget = if total == 3 {
            format!("   ratio to the budget of 150 ms: {:.2}", median / 150.0)
        } else {
            String::new()
        };
        let (least, most) = (times[0], times[times.len() - 1]);
        println!(
            "{total} nodes   median {median:6.1} ms   least {least:6.1}   most {most:6.1}{budget}"
        );
        if total == 3 {
            println!(
                "          ratio to a mesh of matchbox 0.15 alone (610 ms, stated, not run here): {:.2}",
                median / 610.0
            );
        }
    }
}

#[cfg(not(target_family = "wasm"))]
mod native {
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use frostmesh::native::{Driver, Settings, Store};
    use frostmesh::node::{Command, Config, Event};
    use frostmesh::server::{self, Server};
    use frostmesh::wire::PeerId;

    /// One session of `total` nodes. Returns the milliseconds from the last acceptance to the last
    /// confirmation.
    pub async fn session(total: usize, run: usize) -> f64 {
        let config = server::Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            www: None,
            limits: server::Limits::default(),
        };
        let server = Server::bind(config).await.unwrap();
        let url = format!("ws://{}", server.local_addr());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async move { drop(stopped.await) }));

        let names: Vec<PeerId> = (1..=total).map(|i| format!("node{i}").parse().unwrap()).collect();
        let accepted = Arc::new(Mutex::new(None::<Instant>));
        let folder = tempfile::tempdir().unwrap();
        let ready = Arc::new(tokio::sync::Barrier::new(total));
        let mut tasks = Vec::new();
        for name in names.clone() {
            let store =
                Arc::new(Store::open(&folder.path().join(name.as_str()), "secret").unwrap());
            let mut driver =
                Driver::new(Settings { config: Config::default(), ice_servers: Vec::new(), store })
                    .unwrap();
            let (names, accepted, ready, url) =
                (names.clone(), accepted.clone(), ready.clone(), url.clone());
            tasks.push(tokio::spawn(async move {
                driver
                    .command(Command::Connect { server_url: url, peer_id: name.clone() })
                    .unwrap();
                loop {
                    match driver.next().await {
                        Event::Registered { .. } => {
                            ready.wait().await;
                            if name == names[0] {
                                let session_id = format!("run-{run}").parse().unwrap();
                                let (participants, threshold) = (names.clone(), 2);
                                let propose = Command::Propose {
                                    suite: frostmesh::frost::Suite::default(),
                                    session_id,
                                    participants,
                                    threshold,
                                    allow_unverified: true,
                                };
                                driver.command(propose).unwrap();
                            }
                        }
                        Event::Proposed { session_id, .. } if name != names[0] => {
                            *accepted.lock().unwrap() = Some(Instant::now()); // the last one counts
                            driver
                                .command(Command::Accept { session_id, allow_unverified: true })
                                .unwrap();
                        }
                        Event::WalletCreated { pubkey, .. } => {
                            let done = Instant::now();
                            driver.finish().await;
                            return (pubkey, done);
                        }
                        Event::Aborted { reason, .. } => panic!("{name}: {}", reason.text),
                        _ => {}
                    }
                }
            }));
        }
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        assert!(results.iter().all(|(key, _)| *key == results[0].0), "the keys differ");
        let last = results.iter().map(|(_, done)| *done).max().unwrap();
        let _ = stop.send(());
        serving.await.unwrap().unwrap();
        let from = accepted.lock().unwrap().unwrap();
        last.duration_since(from).as_secs_f64() * 1000.0
    }
}
