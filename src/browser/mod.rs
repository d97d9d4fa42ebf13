//! The browser node: the browser's own WebSocket, `RTCPeerConnection` and IndexedDB under a
//! [`crate::node::Node`].
//!
//! Drivers only: all protocol logic is in [`crate::node`]. JavaScript sees [`Frostmesh`] and the
//! plain values of a snapshot, never a key. Runs where `RTCPeerConnection` exists: a page, or an
//! extension's offscreen document.

mod api;
mod command;
mod driver;
mod fatal;
mod inbox;
mod peer_connection;
mod store;
mod storing;
mod websocket;

pub use api::Frostmesh;
pub use peer_connection::PeerConnection;
pub use store::Store;

use serde::Serialize;
use wasm_bindgen::JsValue;

/// The message of an error of the browser.
fn text_of(error: &JsValue) -> String {
    use wasm_bindgen::JsCast;
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| "the browser gave no reason".to_owned()),
    }
}

/// A plain JavaScript value.
fn to_js(value: &impl Serialize) -> JsValue {
    value.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).unwrap_or(JsValue::NULL)
}
