//! A WebRTC connection natively: str0m, which does no IO, and the UDP sockets and clock that it
//! needs.
//!
//! One task an attempt. It binds a socket on each address of this machine, offers or answers, and
//! carries text over one data channel. It ends when it is closed, or when its channel closes, and
//! reports that.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Once;
use std::task::Poll;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceConnectionState, Input as RtcInput, Output as RtcOutput, Rtc};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tracing::{Instrument, debug, debug_span, trace};
use zeroize::Zeroizing;

use crate::node::{Input, Role};
use crate::wire::{IceCandidate, MAX_PEER_MESSAGE, PeerId, PeerText};

/// Label of the data channel that an offerer creates.
const LABEL: &str = "frostmesh";
/// Most bytes that wait for a slow peer before the connection is given up.
const MAX_QUEUED: usize = 4 * 1024 * 1024;
/// How long closing waits for the other end to have received everything.
const FLUSH: Duration = Duration::from_secs(3);
/// How often an open path is checked; the other end answers at once.
const CHECK: Duration = Duration::from_secs(1);
/// How many checks in a row may fail before a path that never worked is given up: as many as fit an
/// attempt.
const MAX_CHECKS: usize = 16;
/// How long the other end may be silent before the path counts as interrupted. str0m itself waits
/// for 15 s or more.
const SILENCE: Duration = Duration::from_secs(5);
/// Largest UDP datagram that is read.
const DATAGRAM: usize = 2048;
/// Size of the system's buffer for datagrams that were not read yet, in bytes. The system may grant
/// less. Datagrams that do not fit are lost, and the peer repeats them only after a second.
const RECEIVE_BUFFER: usize = 1024 * 1024;
/// Most datagrams that are read before anything else is looked at.
const DATAGRAMS_AT_ONCE: usize = 64;

/// An instruction of the driver.
enum Order {
    RemoteDescription(String),
    RemoteCandidate(String),
    Send(PeerText),
}

/// A running connection. Dropping it closes the connection, once everything that was sent has
/// arrived, or after [`FLUSH`].
pub struct PeerConnection {
    orders: mpsc::UnboundedSender<Order>,
    task: tokio::task::JoinHandle<()>,
}

impl PeerConnection {
    /// Starts an attempt; `happened` receives what happens to it.
    pub fn open(
        peer: PeerId,
        attempt: u32,
        role: Role,
        stun: Vec<String>,
        happened: impl Fn(Input) + Send + Sync + 'static,
    ) -> Self {
        let (orders, queue) = mpsc::unbounded_channel();
        let span = debug_span!("connection", %peer, attempt, ?role);
        let task = tokio::spawn(async move {
            // A panic in the WebRTC stack, whatever the peer sent to cause it, ends this connection
            // alone.
            let report = Report { peer: peer.clone(), attempt, happened: Box::new(happened) };
            let report = std::sync::Arc::new(report);
            let work = tokio::spawn(run(role, stun, queue, report.clone()).instrument(span));
            let reason = match work.await {
                Ok(Ok(())) => "closed".to_owned(),
                Ok(Err(error)) => error,
                Err(_) => "the WebRTC stack failed".to_owned(),
            };
            (report.happened)(Input::ConnectionClosed { peer, attempt, reason });
        });
        Self { orders, task }
    }

    /// The other end's offer or answer.
    pub fn remote_description(&self, sdp: String) {
        let _ = self.orders.send(Order::RemoteDescription(sdp));
    }

    /// A candidate of the other end.
    pub fn remote_candidate(&self, candidate: IceCandidate) {
        let _ = self.orders.send(Order::RemoteCandidate(candidate.candidate));
    }

    /// Sends a text over the channel, once there is one.
    pub fn send(&self, text: PeerText) {
        let _ = self.orders.send(Order::Send(text)); // a closed connection has said so already
    }

    /// Closes, and waits until that is done.
    pub async fn finish(self) {
        drop(self.orders);
        let _ = self.task.await;
    }
}

/// Where reports of one attempt go.
struct Report {
    peer: PeerId,
    attempt: u32,
    happened: Box<dyn Fn(Input) + Send + Sync>,
}

impl Report {
    fn described(&self, sdp: String) {
        (self.happened)(Input::LocalDescription {
            peer: self.peer.clone(),
            attempt: self.attempt,
            sdp,
        });
    }

    fn opened(&self) {
        (self.happened)(Input::DataChannelOpened {
            peer: self.peer.clone(),
            attempt: self.attempt,
        });
    }

    fn text(&self, text: Zeroizing<String>) {
        (self.happened)(Input::DataChannelText {
            peer: self.peer.clone(),
            attempt: self.attempt,
            text,
        });
    }

    fn interrupted(&self, interrupted: bool) {
        (self.happened)(Input::DataChannelInterrupted {
            peer: self.peer.clone(),
            attempt: self.attempt,
            interrupted,
        });
    }
}

/// Makes str0m use RustCrypto, once a process.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| str0m::crypto::from_feature_flags().install_process_default());
}

struct Connection {
    rtc: Rtc,
    sockets: Vec<(SocketAddr, UdpSocket)>,
    channel: Option<ChannelId>,
    pending_offer: Option<SdpPendingOffer>,
    queue: VecDeque<PeerText>,
    queued: usize,
    /// When the last datagram of the other end came.
    heard: Instant,
    silent: bool,
    /// Set once this side closes: until when to wait for the flush.
    closing: Option<Instant>,
    over: bool,
}

async fn run(
    role: Role,
    stun: Vec<String>,
    mut orders: mpsc::UnboundedReceiver<Order>,
    report: std::sync::Arc<Report>,
) -> Result<(), String> {
    install_crypto();
    let mut config = Rtc::builder();
    config.set_max_stun_rto(CHECK);
    config.set_max_stun_retransmits(MAX_CHECKS);
    let mut rtc = config.build(Instant::now());
    let sockets = bind().await.map_err(|e| format!("no UDP socket: {e}"))?;
    for (address, socket) in &sockets {
        trace!(%address, "candidate of this machine");
        add(&mut rtc, Candidate::host(*address, "udp"));
        for outer in super::stun::outer_addresses(socket, *address, &stun).await {
            trace!(%outer, "candidate by STUN");
            add(&mut rtc, Candidate::server_reflexive(outer, *address, "udp"));
        }
    }
    let mut this = Connection {
        rtc,
        sockets,
        channel: None,
        pending_offer: None,
        queue: VecDeque::new(),
        queued: 0,
        heard: Instant::now(),
        silent: false,
        closing: None,
        over: false,
    };
    if role == Role::Offerer {
        let mut api = this.rtc.sdp_api();
        api.add_channel(LABEL.to_owned());
        let (offer, pending) = api.apply().ok_or("no offer could be made")?;
        this.pending_offer = Some(pending);
        report.described(offer.to_sdp_string());
    }
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let wake = this.drain(&report).await?;
        if this.over {
            return Ok(());
        }
        let closing = this.closing.is_some();
        let wake = this.closing.map_or(wake, |end| wake.min(end));
        let wake = this.notice_silence(&report).map_or(wake, |at| wake.min(at));
        tokio::select! {
            order = orders.recv(), if !closing => match order {
                Some(order) => this.carry_out(order, &report)?,
                None => this.closing = Some(Instant::now() + FLUSH),
            },
            received = receive(&this.sockets, &mut buffer) => {
                if let Ok((index, source, length)) = received {
                    this.datagram(index, source, &buffer[..length])?;
                    this.more_datagrams(&mut buffer, &report).await?;
                }
            },
            () = tokio::time::sleep_until(wake.into()) => {
                this.rtc.handle_input(RtcInput::Timeout(Instant::now())).map_err(|e| e.to_string())?;
            }
        }
    }
}

fn add<E>(rtc: &mut Rtc, candidate: Result<Candidate, E>) {
    if let Ok(candidate) = candidate {
        rtc.add_local_candidate(candidate);
    }
}

impl Connection {
    /// Sends and reports the outputs of str0m. Returns when its next timeout is.
    async fn drain(&mut self, report: &Report) -> Result<Instant, String> {
        loop {
            match self.rtc.poll_output().map_err(|e| e.to_string())? {
                RtcOutput::Timeout(at) if self.flush()? => {
                    self.over |= self.finished();
                    return Ok(at);
                }
                RtcOutput::Timeout(_) => {} // something was written: there is more to send
                RtcOutput::Transmit(t) => {
                    if let Some((_, socket)) =
                        self.sockets.iter().find(|(address, _)| *address == t.source)
                    {
                        let _ = socket.send_to(&t.contents, t.destination).await; // lost packets are part of UDP
                    }
                }
                RtcOutput::Event(event) => self.event(event, report)?,
            }
        }
    }

    /// Hands waiting text to the channel. True when there was nothing to do.
    fn flush(&mut self) -> Result<bool, String> {
        let (Some(id), Some(text)) = (self.channel, self.queue.front()) else { return Ok(true) };
        let Some(mut channel) = self.rtc.channel(id) else { return Ok(true) };
        if channel.write(false, text.as_str().as_bytes()).map_err(|e| e.to_string())? {
            self.queued -= text.as_str().len();
            self.queue.pop_front();
            return Ok(false);
        }
        Ok(true)
    }

    /// Reports when the peer has been silent for [`SILENCE`], and when its datagrams arrive once
    /// more. Returns when to look next.
    fn notice_silence(&mut self, report: &Report) -> Option<Instant> {
        self.channel?;
        let silent = self.heard.elapsed() >= SILENCE;
        if std::mem::replace(&mut self.silent, silent) != silent {
            report.interrupted(silent);
        }
        (!silent).then(|| self.heard + SILENCE)
    }

    /// While closing: whether the other end has everything, or has had time enough.
    fn finished(&mut self) -> bool {
        let Some(end) = self.closing else { return !self.rtc.is_alive() };
        let unsent = self
            .channel
            .and_then(|id| self.rtc.channel(id).map(|mut c| c.buffered_amount()))
            .unwrap_or(0);
        if (self.queue.is_empty() && unsent == 0) || Instant::now() >= end {
            // This sends a DTLS close_notify with the next drain.
            let alive = self.rtc.is_alive();
            let _ = self.rtc.close();
            self.closing = Some(end.min(Instant::now() + Duration::from_millis(200)));
            return !alive || Instant::now() >= end;
        }
        false
    }

    fn event(&mut self, event: Event, report: &Report) -> Result<(), String> {
        match event {
            Event::ChannelOpen(id, _) if self.channel.is_none() => {
                self.channel = Some(id);
                report.opened();
            }
            Event::ChannelData(data) if Some(data.id) == self.channel => {
                let bytes = Zeroizing::new(data.data);
                if bytes.len() > MAX_PEER_MESSAGE {
                    return Err(format!(
                        "a message of {} bytes came; the limit is {MAX_PEER_MESSAGE}",
                        bytes.len()
                    ));
                }
                // Data that is no text becomes an empty message: the node refuses it and names the
                // sender.
                report.text(Zeroizing::new(
                    std::str::from_utf8(&bytes).unwrap_or_default().to_owned(),
                ));
            }
            Event::ChannelClose(id) if Some(id) == self.channel => self.over = true,
            Event::IceConnectionStateChange(state) => {
                debug!(?state, "ICE");
                match state {
                    IceConnectionState::Disconnected => report.interrupted(true),
                    IceConnectionState::Connected | IceConnectionState::Completed => {
                        report.interrupted(false);
                    }
                    _ => {}
                }
            }
            Event::Closed => self.over = true,
            _ => {}
        }
        Ok(())
    }

    fn carry_out(&mut self, order: Order, report: &Report) -> Result<(), String> {
        match order {
            Order::RemoteDescription(sdp) => {
                let sdp = without_candidates_by_name(&sdp);
                if let Some(pending) = self.pending_offer.take() {
                    let answer = SdpAnswer::from_sdp_string(&sdp)
                        .map_err(|e| format!("the answer cannot be read: {e}"))?;
                    if leaves_sctp_to_us(&sdp) {
                        self.rtc.direct_api().start_sctp(true);
                    }
                    self.rtc
                        .sdp_api()
                        .accept_answer(pending, answer)
                        .map_err(|e| format!("the answer does not fit: {e}"))
                } else {
                    let offer = SdpOffer::from_sdp_string(&sdp)
                        .map_err(|e| format!("the offer cannot be read: {e}"))?;
                    let answer = self
                        .rtc
                        .sdp_api()
                        .accept_offer(offer)
                        .map_err(|e| format!("the offer does not fit: {e}"))?;
                    report.described(answer.to_sdp_string());
                    Ok(())
                }
            }
            Order::RemoteCandidate(line) => {
                // Candidates that cannot be used (by mDNS name, over TCP) are not needed: the
                // peer's own checks show where it is.
                let line = line.strip_prefix("a=").unwrap_or(&line);
                if !is_by_name(line)
                    && let Ok(candidate) = Candidate::from_sdp_string(line)
                {
                    self.rtc.add_remote_candidate(candidate);
                }
                Ok(())
            }
            Order::Send(text) => {
                self.queued += text.as_str().len();
                self.queue.push_back(text);
                if self.queued > MAX_QUEUED {
                    return Err(format!(
                        "the peer takes nothing: {} bytes wait for it",
                        self.queued
                    ));
                }
                Ok(())
            }
        }
    }

    /// Reads all datagrams that have arrived: a full buffer loses datagrams.
    async fn more_datagrams(&mut self, buffer: &mut [u8], report: &Report) -> Result<(), String> {
        for index in 0..self.sockets.len() {
            for _ in 0..DATAGRAMS_AT_ONCE {
                let Some((_, socket)) = self.sockets.get(index) else { break };
                let Ok((length, source)) = socket.try_recv_from(buffer) else { break };
                self.drain(report).await?;
                self.datagram(index, source, &buffer[..length])?;
            }
        }
        Ok(())
    }

    fn datagram(&mut self, index: usize, source: SocketAddr, bytes: &[u8]) -> Result<(), String> {
        let Some((destination, _)) = self.sockets.get(index) else { return Ok(()) };
        let Ok(receive) = Receive::new(Protocol::Udp, source, *destination, bytes) else {
            return Ok(());
        };
        let input = RtcInput::Receive(Instant::now(), receive);
        if self.rtc.accepts(&input) {
            self.heard = Instant::now();
            self.rtc.handle_input(input).map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

/// Whether the answerer waits for us to begin the SCTP association. By RFC 8841 both ends begin it,
/// and most do. str0m begins as the DTLS client only, which an offerer is not; stacks of aiortc's
/// line, werift among them, begin as the offerer only: then neither would. But str0m that begins
/// numbers its streams as a DTLS client, and libdatachannel refuses such numbers from a server. So
/// those that are known to begin are left to it.
fn leaves_sctp_to_us(answer: &str) -> bool {
    // libdatachannel, Firefox, and Chromium with all that is built from its WebRTC.
    const BEGIN: [&str; 3] = ["o=rtc ", "o=mozilla", "a=msid-semantic: WMS"];
    let begins = |line: &str| BEGIN.iter().any(|mark| line.starts_with(mark));
    answer.lines().any(|line| line == "a=setup:active") && !answer.lines().any(begins)
}

fn is_by_name(candidate: &str) -> bool {
    candidate.split(' ').nth(4).is_some_and(|host| host.ends_with(".local"))
}

fn without_candidates_by_name(sdp: &str) -> String {
    let lines = sdp.split_inclusive('\n');
    lines.filter(|line| !line.strip_prefix("a=candidate:").is_some_and(is_by_name)).collect()
}

/// One socket on each address that peers could reach: every interface, and loopback for peers on
/// this machine.
async fn bind() -> io::Result<Vec<(SocketAddr, UdpSocket)>> {
    let interfaces = if_addrs::get_if_addrs()?;
    let mut addresses: Vec<IpAddr> =
        interfaces.iter().map(if_addrs::Interface::ip).filter(|ip| usable(*ip)).collect();
    addresses.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    addresses.dedup();
    let mut sockets = Vec::new();
    let mut failed = None;
    for ip in addresses.into_iter().take(MAX_ADDRESSES) {
        match UdpSocket::bind((ip, 0)).await.and_then(|s| Ok((s.local_addr()?, s))) {
            Ok((address, socket)) => {
                let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER); // it works with less
                sockets.push((address, socket));
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if sockets.is_empty() => Err(error),
        _ if sockets.is_empty() => Err(io::Error::other("this machine has no network address")),
        _ => Ok(sockets),
    }
}

/// Most addresses of this machine that are used.
const MAX_ADDRESSES: usize = 16;

fn usable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_unspecified() && !ip.is_loopback(),
    }
}

/// Waits for the next datagram on any socket.
async fn receive(
    sockets: &[(SocketAddr, UdpSocket)],
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr, usize)> {
    poll_fn(|cx| {
        for (index, (_, socket)) in sockets.iter().enumerate() {
            let mut read = ReadBuf::new(buffer);
            if let Poll::Ready(result) = socket.poll_recv_from(cx, &mut read) {
                return Poll::Ready(result.map(|source| (index, source, read.filled().len())));
            }
        }
        Poll::Pending
    })
    .await
}
