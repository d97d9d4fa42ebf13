//! Learns this machine's outer address from a STUN server (RFC 8489), when the person names one.
//! Never by default.

use std::net::SocketAddr;
use std::time::Duration;

use rand_core::RngCore;
use str0m::ice::StunMessage;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

use crate::random::SystemRng;

/// How long one answer may take. The connection is set up meanwhile or without it.
const PATIENCE: Duration = Duration::from_millis(500);
const TRIES: usize = 2;
const DEFAULT_PORT: u16 = 3478;

/// Host and port of a `stun:HOST[:PORT]` URL.
pub(super) fn parse_url(url: &str) -> Option<(String, u16)> {
    let rest = url.strip_prefix("stun:")?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port.parse().ok()?),
        _ => (rest, DEFAULT_PORT),
    };
    (!host.is_empty()).then(|| (host.trim_matches(['[', ']']).to_owned(), port))
}

/// The addresses from which the named servers see `socket`.
pub(super) async fn outer_addresses(
    socket: &UdpSocket,
    local: SocketAddr,
    urls: &[String],
) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for (host, port) in urls.iter().filter_map(|url| parse_url(url)) {
        if let Some(outer) = ask(socket, local, &host, port).await
            && outer != local
            && !found.contains(&outer)
        {
            found.push(outer);
        }
    }
    found
}

async fn ask(socket: &UdpSocket, local: SocketAddr, host: &str, port: u16) -> Option<SocketAddr> {
    let server = lookup_host((host, port)).await.ok()?.find(|a| a.is_ipv4() == local.is_ipv4())?;
    if local.ip().is_loopback() && !server.ip().is_loopback() {
        return None;
    }
    // Binding request: type, length, magic cookie, 96-bit transaction id (section 5).
    let mut request = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    SystemRng.fill_bytes(&mut request[8..]);
    let mut answer = [0; 512];
    for _ in 0..TRIES {
        socket.send_to(&request, server).await.ok()?;
        if let Ok(Ok((length, from))) = timeout(PATIENCE, socket.recv_from(&mut answer)).await {
            let ours = from == server && answer.get(8..20) == request.get(8..20);
            if ours && let Ok(message) = StunMessage::parse(&answer[..length]) {
                return message.mapped_address();
            }
        }
    }
    None
}
