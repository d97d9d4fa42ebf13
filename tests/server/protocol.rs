//! Section 1 of the protocol: register, list, relay, and each refusal.

use frostmesh::wire::ErrorCode;

use super::client::Running;

#[tokio::test]
async fn registered_peers_are_listed_in_byte_order_the_asker_included() {
    let server = Running::start().await;
    let _peers =
        [server.peer("mpc-2").await, server.peer("mpc-10").await, server.peer("Zed").await];
    let mut asker = server.peer("_a.b-C9").await;
    assert_eq!(asker.list().await, ["Zed", "_a.b-C9", "mpc-10", "mpc-2"]);
}

#[tokio::test]
async fn list_peers_needs_no_registration() {
    let server = Running::start().await;
    let _peer = server.peer("cli1").await;
    assert_eq!(server.client().await.list().await, ["cli1"]);
}

#[tokio::test]
async fn register_has_no_answer_and_unknown_fields_are_ignored() {
    let server = Running::start().await;
    let mut client = server.client().await;
    client.send(r#"{"x":[1],"type":"register","protocol":1,"peer_id":"cli1"}"#).await;
    client.send(r#"{"type":"list_peers","since":0}"#).await;
    assert_eq!(client.text().await, r#"{"type":"peers","peers":["cli1"]}"#);
}

#[tokio::test]
async fn data_is_relayed_verbatim_and_from_is_stamped_by_the_server() {
    let server = Running::start().await;
    let mut sender = server.peer("cli1").await;
    let mut target = server.peer("cli2").await;
    for data in [
        r#"{"type":"offer","sdp":"v=0\r\n"}"#,
        // A server that parsed this and wrote it would change it.
        "{ \"b\":1.0e5 ,\t\"a\":\"\\u00e9é\\/\", \"a\":-0.0,\n \"n\":12345678901234567890123456789 }",
        "[]",
        "\"text\"",
        "0",
    ] {
        sender
            .send(&format!(r#"{{"from":"forged","data":{data},"to":"cli2","type":"relay"}}"#))
            .await;
        assert_eq!(
            target.text().await,
            format!(r#"{{"type":"relay","from":"cli1","data":{data}}}"#)
        );
    }
}

#[tokio::test]
async fn relayed_messages_of_a_pair_keep_their_order() {
    let server = Running::start().await;
    let mut sender = server.peer("cli1").await;
    let mut target = server.peer("cli2").await;
    let count = 2000;
    let reader = tokio::spawn(async move {
        for number in 0..count {
            assert_eq!(target.relayed().await, ("cli1".to_owned(), number.to_string()));
        }
    });
    for number in 0..count {
        sender.relay("cli2", &number.to_string()).await;
    }
    reader.await.unwrap();
    assert_eq!(sender.list().await, ["cli1"], "and none was refused");
}

#[tokio::test]
async fn relay_before_register_is_refused_and_registering_still_works() {
    let server = Running::start().await;
    let mut target = server.peer("cli2").await;
    let mut client = server.client().await;
    client.relay("cli2", "1").await;
    client.error(ErrorCode::NotRegistered).await;
    client.register("cli1").await;
    client.relay("cli2", "2").await;
    assert_eq!(target.relayed().await, ("cli1".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn relay_to_oneself_is_refused() {
    let server = Running::start().await;
    let mut client = server.peer("cli1").await;
    client.relay("cli1", "1").await;
    client.error(ErrorCode::BadMessage).await;
    assert_eq!(client.list().await, ["cli1"]);
}

#[tokio::test]
async fn relay_to_nobody_is_refused_and_names_the_target() {
    let server = Running::start().await;
    let mut client = server.peer("cli1").await;
    client.relay("nobody", "1").await;
    assert_eq!(client.error(ErrorCode::TargetOffline).await.unwrap().as_str(), "nobody");

    drop(server.peer("gone").await);
    // Wait until the server knows that the peer is gone: before that it accepts the message.
    while client.list().await.contains(&"gone".to_owned()) {}
    client.relay("gone", "1").await;
    assert_eq!(client.error(ErrorCode::TargetOffline).await.unwrap().as_str(), "gone");
}

#[tokio::test]
async fn bad_peer_ids_are_refused_and_a_good_one_is_taken_after_them() {
    let server = Running::start().await;
    let mut client = server.client().await;
    let too_long = "x".repeat(65);
    for bad in ["", " ", "a b", "é", "a/b", "a\\u0000", "a\\n", "../a", &too_long] {
        client.send(&format!(r#"{{"type":"register","peer_id":"{bad}"}}"#)).await;
        client.error(ErrorCode::BadPeerId).await;
    }
    client.register(&"x".repeat(64)).await;
    client.relay("a b", "1").await;
    client.error(ErrorCode::BadPeerId).await;
}

#[tokio::test]
async fn a_taken_id_is_refused_and_the_socket_may_register_another() {
    let server = Running::start().await;
    let mut holder = server.peer("cli1").await;
    let mut client = server.client().await;
    client.send(r#"{"type":"register","peer_id":"cli1"}"#).await;
    client.error(ErrorCode::PeerIdTaken).await;
    client.register("cli2").await;
    client.relay("cli1", "1").await;
    assert_eq!(
        holder.relayed().await,
        ("cli2".to_owned(), "1".to_owned()),
        "the holder keeps its id"
    );
}

#[tokio::test]
async fn the_same_id_again_is_harmless() {
    let server = Running::start().await;
    let mut client = server.peer("cli1").await;
    client.send(r#"{"type":"register","peer_id":"cli1"}"#).await;
    assert_eq!(client.list().await, ["cli1"], "the next answer is not about the repeat");
}

#[tokio::test]
async fn another_id_on_the_same_socket_is_refused_and_the_first_one_stays() {
    let server = Running::start().await;
    let mut client = server.peer("cli1").await;
    client.send(r#"{"type":"register","peer_id":"cli2"}"#).await;
    client.error(ErrorCode::AlreadyRegistered).await;
    assert_eq!(client.list().await, ["cli1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_peers_all_reach_each_other() {
    let server = Running::start().await;
    let mut peers = Vec::new();
    for number in 0..20 {
        peers.push(server.peer(&format!("p{number}")).await);
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        for other in (0..20).filter(|other| *other != number) {
            peer.relay(&format!("p{other}"), &number.to_string()).await;
        }
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        let mut received = Vec::new();
        for _ in 0..19 {
            let (from, data) = peer.relayed().await;
            assert_eq!(from, format!("p{data}"));
            received.push(data.parse::<usize>().unwrap());
        }
        received.sort_unstable();
        assert_eq!(received, (0..20).filter(|other| *other != number).collect::<Vec<_>>());
    }
}
