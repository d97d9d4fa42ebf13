//! The carriers: one file each, which says everything about it, and one line in the list below, the
//! preferred one first (docs/howto/carrier.md).

use super::carrier::Carrier;
use super::effect::CarrierSpec;
use crate::api::{CarrierId, CarrierInfo};
use crate::node::Config;

/// Declares the module of each carrier, and lists what each says of itself.
macro_rules! carriers {
    ($($(#[cfg($cfg:meta)])? $(#[path = $path:literal])? $module:ident,)+) => {
        $($(#[cfg($cfg)])? $(#[path = $path])? mod $module;)+

        /// What every carrier says of itself.
        static SPECS: &[&CarrierSpec] = &[$($(#[cfg($cfg)])? &$module::SPEC,)+];

        /// Every carrier of a node. `random` keeps the connections of two processes apart.
        pub(super) fn all(config: &Config, random: u32) -> Vec<Box<dyn Carrier>> {
            vec![$($(#[cfg($cfg)])? $module::carrier(config, random),)+]
        }
    };
}

carriers! {
    webrtc,
    relay,
    #[cfg(test)] #[path = "../../../../tests/extend/toy_carrier.rs"] toy_carrier,
}

/// WebRTC: the carrier over which baseline peers talk, too.
pub const DIRECT: CarrierId = CarrierId::new(&webrtc::SPEC.info);
/// The signaling server's relay.
pub const RELAY: CarrierId = CarrierId::new(&relay::SPEC.info);

/// All carriers, the preferred one first.
pub fn carriers() -> impl Iterator<Item = CarrierId> {
    SPECS.iter().map(|spec| CarrierId::new(&spec.info))
}

/// What a carrier says of itself.
#[must_use]
pub fn carrier_info(id: &str) -> Option<&'static CarrierInfo> {
    carriers().map(CarrierId::info).find(|info| info.id == id)
}
