//! The list of carriers. A carrier is one file that implements [`Carrier`] and one line in each of the
//! two lists here.

use super::carrier::Carrier;
use super::effect::CarrierSpec;
use super::{relay, webrtc};
use crate::node::Config;

/// Every carrier of a node, the preferred one first.
pub(super) fn all(config: &Config, random: u32) -> Vec<Box<dyn Carrier>> {
    vec![Box::new(webrtc::WebRtc::new(&config.deadlines, random)), Box::new(relay::Relay)]
}

/// What every carrier says of itself, the preferred one first.
pub(super) const SPECS: &[&CarrierSpec] = &[&webrtc::SPEC, &relay::SPEC];
