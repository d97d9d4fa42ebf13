//! What surfaces can ask of a node and what they are told: the one list of it, for the command line, the control socket, the
//! browser, the tests, and the types of the user interface.

mod carrier;
mod command;
mod error;
mod event;
mod reason;
mod time;
mod view;
mod wallet_view;

pub use carrier::{Carrier, CarrierChoice};
pub use command::{Command, ContactChange};
pub use error::{Error, MAX_SESSIONS};
pub use event::Event;
pub use reason::{Reason, ReasonKind};
pub use time::Timestamp;
pub use view::{
    ConnectionState, ConnectionView, ContactView, InviteView, PeerState, PeerView, PhaseName,
    SessionView, View,
};
pub use wallet_view::{
    CheckView, ContentView, GroupView, MemberView, RequestState, RequestView, SignatureView,
};
