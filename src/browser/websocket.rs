//! The socket to the signaling server: the browser's `WebSocket`.

use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CloseEvent, Event, MessageEvent, WebSocket};

use super::text_of;
use crate::node::SocketEvent;

/// An open socket, or one that is being opened. Dropping it closes the socket, once everything is
/// sent.
pub(super) struct Socket {
    socket: WebSocket,
    _handlers: [Handler; 3],
}

/// A callback that the browser holds. Freed with the socket.
enum Handler {
    Event(#[allow(dead_code)] Closure<dyn FnMut(Event)>),
    Message(#[allow(dead_code)] Closure<dyn FnMut(MessageEvent)>),
    Close(#[allow(dead_code)] Closure<dyn FnMut(CloseEvent)>),
}

impl Socket {
    /// Opens a socket; `happened` receives what happens to it.
    ///
    /// # Errors
    /// The browser refuses the address.
    pub(super) fn open(
        url: &str,
        happened: impl Fn(SocketEvent) + Clone + 'static,
    ) -> Result<Self, String> {
        let socket = WebSocket::new(url).map_err(|e: JsValue| text_of(&e))?;
        let report = happened.clone();
        let opened = Closure::<dyn FnMut(Event)>::new(move |_| report(SocketEvent::Opened));
        let report = happened.clone();
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(text) = event.data().as_string() {
                report(SocketEvent::Text(text));
            }
        });
        let address = url.to_owned();
        // A failure to connect is followed by `close` too, and carries no reason in either.
        let closed = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            let said = event.reason();
            let reason = if said.is_empty() { format!("no connection to {address}") } else { said };
            happened(SocketEvent::Closed { reason });
        });
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        let handlers = [Handler::Event(opened), Handler::Message(message), Handler::Close(closed)];
        Ok(Self { socket, _handlers: handlers })
    }

    pub(super) fn send(&self, text: &str) {
        let _ = self.socket.send_with_str(text); // a closed socket has said so already
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}
