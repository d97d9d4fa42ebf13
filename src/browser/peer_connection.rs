//! One attempt at a WebRTC connection: the browser's `RTCPeerConnection` and one data channel.
//!
//! All its callbacks and handles are freed when it is dropped: nothing grows with the number of
//! attempts.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, JsString, Promise};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    Event, MessageEvent, RtcConfiguration, RtcDataChannel, RtcDataChannelEvent,
    RtcDataChannelState, RtcIceCandidateInit, RtcIceServer, RtcPeerConnection,
    RtcPeerConnectionIceEvent, RtcPeerConnectionState, RtcSdpType, RtcSessionDescription,
    RtcSessionDescriptionInit,
};
use zeroize::Zeroizing;

use super::text_of;
use crate::node::{Input, Role};
use crate::wire::{IceCandidate, MAX_PEER_MESSAGE, PeerId};

/// Label of the data channel that an offerer creates.
const LABEL: &str = "frostmesh";
/// Most bytes that wait for a slow peer before the connection is given up.
const MAX_QUEUED: u32 = 4 * 1024 * 1024;
/// How long a closing channel may take to send the rest, in milliseconds.
const FLUSH: u32 = 1_000;

/// A connection attempt, and the connection if it succeeds. Dropping it closes it.
pub struct PeerConnection {
    inner: Rc<Inner>,
}

struct Inner {
    connection: RtcPeerConnection,
    role: Role,
    report: Report,
    channel: RefCell<Option<RtcDataChannel>>,
    /// The callbacks of the browser. Freed on closing.
    closures: RefCell<Vec<Box<dyn std::any::Any>>>,
}

/// Where reports of one attempt go.
#[derive(Clone)]
struct Report {
    peer: PeerId,
    attempt: u32,
    happened: Rc<dyn Fn(Input)>,
}

impl Report {
    fn ids(&self) -> (PeerId, u32) {
        (self.peer.clone(), self.attempt)
    }

    fn closed(&self, reason: impl Into<String>) {
        let (peer, attempt) = self.ids();
        (self.happened)(Input::ConnectionClosed { peer, attempt, reason: reason.into() });
    }
}

impl PeerConnection {
    /// Starts an attempt; `happened` receives what happens to it. An offerer makes its offer at
    /// once.
    ///
    /// # Errors
    /// The browser cannot make a connection object.
    pub fn open(
        peer: PeerId,
        attempt: u32,
        role: Role,
        ice_servers: &[String],
        happened: Rc<dyn Fn(Input)>,
    ) -> Result<Self, String> {
        let connection = RtcPeerConnection::new_with_configuration(&configuration(ice_servers))
            .map_err(|e| text_of(&e))?;
        let report = Report { peer, attempt, happened };
        let inner = Rc::new(Inner {
            connection,
            role,
            report,
            channel: RefCell::default(),
            closures: RefCell::default(),
        });
        inner.watch();
        if role == Role::Offerer {
            let channel = inner.connection.create_data_channel(LABEL);
            inner.adopt(channel);
            inner.clone().describe(None);
        }
        Ok(Self { inner })
    }

    /// Takes the other end's offer or answer; an answerer answers.
    pub fn remote_description(&self, sdp: String) {
        self.inner.clone().describe(Some(sdp));
    }

    /// Takes a candidate of the other end. The browser puts it in line behind the description.
    pub fn remote_candidate(&self, candidate: &IceCandidate) {
        let init = RtcIceCandidateInit::new(&candidate.candidate);
        init.set_sdp_mid(candidate.sdp_mid.as_deref());
        init.set_sdp_m_line_index(candidate.sdp_m_line_index);
        if init.get_sdp_mid().is_none() && init.get_sdp_m_line_index().is_none() {
            init.set_sdp_m_line_index(Some(0)); // there is one media section
        }
        let added =
            self.inner.connection.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
        // A candidate that cannot be used is not needed: the peer's own checks show where it is.
        spawn_local(async move { drop(JsFuture::from(added).await) });
    }

    /// Sends text over the open channel.
    pub fn send(&self, text: &str) {
        let channel = self.inner.channel.borrow();
        let Some(channel) = channel.as_ref() else { return };
        if channel.buffered_amount() > MAX_QUEUED {
            self.inner.report.closed("the peer takes nothing");
        } else if let Err(error) = channel.send_with_str(text) {
            self.inner.report.closed(text_of(&error));
        }
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        self.inner.close();
    }
}

impl Inner {
    /// Listens to the connection.
    fn watch(self: &Rc<Self>) {
        let report = self.report.clone();
        let f = self.hold(Closure::<dyn FnMut(RtcPeerConnectionIceEvent)>::new(
            move |event: RtcPeerConnectionIceEvent| {
                let Some(candidate) = event.candidate() else { return };
                let candidate = IceCandidate {
                    candidate: candidate.candidate(),
                    sdp_mid: candidate.sdp_mid(),
                    sdp_m_line_index: candidate.sdp_m_line_index(),
                };
                if !candidate.candidate.is_empty() {
                    let (peer, attempt) = report.ids();
                    (report.happened)(Input::LocalCandidate { peer, attempt, candidate });
                }
            },
        ));
        self.connection.set_onicecandidate(Some(&f));
        let (report, connection) = (self.report.clone(), self.connection.clone());
        let f = self.hold(Closure::<dyn FnMut(Event)>::new(move |_: Event| {
            let (peer, attempt) = report.ids();
            match connection.connection_state() {
                RtcPeerConnectionState::Failed => report.closed("no path to the peer was found"),
                RtcPeerConnectionState::Disconnected => {
                    (report.happened)(Input::DataChannelInterrupted {
                        peer,
                        attempt,
                        interrupted: true,
                    });
                }
                RtcPeerConnectionState::Connected => {
                    (report.happened)(Input::DataChannelInterrupted {
                        peer,
                        attempt,
                        interrupted: false,
                    });
                }
                _ => {}
            }
        }));
        self.connection.set_onconnectionstatechange(Some(&f));
        let this = Rc::downgrade(self);
        let f = self.hold(Closure::<dyn FnMut(RtcDataChannelEvent)>::new(
            move |event: RtcDataChannelEvent| {
                if let Some(this) = this.upgrade().filter(|this| this.channel.borrow().is_none()) {
                    this.adopt(event.channel());
                }
            },
        ));
        self.connection.set_ondatachannel(Some(&f));
    }

    /// Listens to the channel.
    fn adopt(&self, channel: RtcDataChannel) {
        let report = self.report.clone();
        let f = self.hold(Closure::<dyn FnMut(Event)>::new(move |_: Event| {
            let (peer, attempt) = report.ids();
            (report.happened)(Input::DataChannelOpened { peer, attempt });
        }));
        channel.set_onopen(Some(&f));
        let report = self.report.clone();
        let f = self.hold(Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let data = event.data();
            // Data that is no text, or too long, becomes an empty message: the node refuses it and
            // names the sender.
            let short = data
                .dyn_ref::<JsString>()
                .is_some_and(|text| text.length() as usize <= MAX_PEER_MESSAGE);
            let text = Zeroizing::new(data.as_string().filter(|_| short).unwrap_or_default());
            let (peer, attempt) = report.ids();
            (report.happened)(Input::DataChannelText { peer, attempt, text });
        }));
        channel.set_onmessage(Some(&f));
        let report = self.report.clone();
        let f = self.hold(Closure::<dyn FnMut(Event)>::new(move |_: Event| {
            report.closed("the channel was closed")
        }));
        channel.set_onclose(Some(&f));
        *self.channel.borrow_mut() = Some(channel);
    }

    /// Holds a callback until the connection is closed. Returns its JavaScript function.
    fn hold<T: ?Sized + 'static>(&self, closure: Closure<T>) -> js_sys::Function {
        let function: js_sys::Function =
            closure.as_ref().unchecked_ref::<js_sys::Function>().clone();
        self.closures.borrow_mut().push(Box::new(closure));
        function
    }

    /// Makes or answers an offer, or applies an answer.
    ///
    /// The browser is asked before this returns: a candidate that follows waits in line behind the
    /// description there, and would be refused before it.
    fn describe(self: Rc<Self>, remote: Option<String>) {
        let applied = remote.map(|sdp| {
            let kind =
                if self.role == Role::Offerer { RtcSdpType::Answer } else { RtcSdpType::Offer };
            let description = RtcSessionDescriptionInit::new(kind);
            description.set_sdp(&sdp);
            self.connection.set_remote_description(&description)
        });
        spawn_local(async move {
            match self.exchange(applied).await {
                Ok(Some(sdp)) => {
                    let (peer, attempt) = self.report.ids();
                    (self.report.happened)(Input::LocalDescription { peer, attempt, sdp });
                }
                Ok(None) => {}
                Err(error) => self.report.closed(text_of(&error)),
            }
        });
    }

    async fn exchange(&self, applied: Option<Promise>) -> Result<Option<String>, JsValue> {
        let connection = &self.connection;
        let answered = self.role == Role::Offerer && applied.is_some();
        if let Some(applied) = applied {
            wait(applied).await?;
        }
        let local = match self.role {
            Role::Offerer if answered => return Ok(None),
            Role::Offerer => connection.create_offer(),
            Role::Answerer => connection.create_answer(),
        };
        let local: RtcSessionDescriptionInit = wait(local).await?.unchecked_into();
        wait(connection.set_local_description(&local)).await?;
        Ok(connection.local_description().map(|d: RtcSessionDescription| d.sdp()))
    }

    /// Closes, and frees every callback. The channel sends its queue first.
    fn close(&self) {
        let connection = self.connection.clone();
        connection.set_onicecandidate(None);
        connection.set_onconnectionstatechange(None);
        connection.set_ondatachannel(None);
        let channel = self.channel.borrow_mut().take();
        self.closures.borrow_mut().clear();
        let Some(channel) = channel else { return connection.close() };
        channel.set_onopen(None);
        channel.set_onmessage(None);
        channel.set_onclose(None);
        let unsent = channel.ready_state() == RtcDataChannelState::Open;
        channel.close();
        if unsent {
            spawn_local(async move {
                gloo_timers::future::TimeoutFuture::new(FLUSH).await;
                connection.close();
            });
        } else {
            connection.close();
        }
    }
}

async fn wait(promise: Promise) -> Result<JsValue, JsValue> {
    JsFuture::from(promise).await
}

fn configuration(ice_servers: &[String]) -> RtcConfiguration {
    let configuration = RtcConfiguration::new();
    let servers = Array::new();
    for url in ice_servers {
        let server = RtcIceServer::new();
        server.set_urls_str(url);
        servers.push(&server);
    }
    configuration.set_ice_servers(&servers);
    configuration
}
