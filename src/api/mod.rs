//! The interface between a node and its surfaces: commands, events, views and codes of errors. It
//! is the only list of them: the command line, the control socket, the browser and the tests use
//! it, and a test writes the types of the user interface from it (`www/ui/api.d.ts`).

#[macro_use]
mod declare;

mod carrier;
mod command;
mod error;
mod event;
mod field;
mod lists;
mod reason;
mod snapshot;
mod time;
#[cfg(test)]
mod types;
mod view;
mod wallet_view;

pub use carrier::{CarrierChoice, CarrierId, CarrierInfo};
pub use command::{Command, KeystoreCommand, MIN_REQUEST_DIGITS, unknown_command};
pub use error::{Error, ErrorCode, MAX_SESSIONS, Refusal};
pub use event::Event;
pub use field::{Field, Fields, JsonFields, MAX_NUMBER, WriteField, WrongKind, missing};
pub use lists::{CarrierView, KindView, SuiteView, carrier_views, kind_views, suite_views};
pub use reason::{Reason, ReasonKind};
pub use snapshot::{KeystoreState, Snapshot, WalletStatus, WalletView};
pub use time::Timestamp;
pub use view::{
    ConnectionState, ConnectionView, ContactView, InviteView, PeerState, PeerView, PhaseName,
    ProtocolStep, SessionView, View,
};
pub use wallet_view::{
    CheckView, ContentView, GroupView, MemberView, RequestState, RequestView, SignatureView,
};
