//! What a surface lets people choose from: the ciphersuites and the kinds of content that this node
//! knows, as each says it of itself.

use serde::Serialize;

use super::CarrierId;
use crate::content::{Input, KindInfo, kinds};
use crate::frost::{Suite, Use};
use crate::label::Label;

/// A ciphersuite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SuiteView {
    /// Its name in commands and sessions.
    #[cfg_attr(test, ts(type = "Suite"))]
    pub name: &'static str,
    /// Its id in wallets: the `contextString` of RFC 9591.
    pub id: &'static str,
    /// Which signatures its keys make and what for.
    pub label: Label,
    /// What its keys can be used for.
    #[cfg_attr(test, ts(type = "string[]"))]
    pub uses: &'static [Use],
}

/// A kind of content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct KindView {
    /// Its name in commands and requests.
    #[cfg_attr(test, ts(type = "ContentKind"))]
    pub name: &'static str,
    /// What people call it.
    pub label: Label,
    /// What a member is asked to do; `$1` stands for the member that asks.
    pub asks: Label,
    /// What people have to know before they sign it.
    pub warning: Option<Label>,
    /// What a wallet's key must be usable for to sign it: one of the `uses` of its ciphersuite.
    #[cfg_attr(test, ts(type = "string | null"))]
    pub needs: Option<Use>,
    /// How people give it.
    pub input: Input,
}

/// All ciphersuites, the default one first.
#[must_use]
pub fn suite_views() -> Vec<SuiteView> {
    let view = |suite: Suite| SuiteView {
        name: suite.name(),
        id: suite.id(),
        label: suite.info().label,
        uses: suite.info().uses,
    };
    Suite::all().map(view).collect()
}

/// A carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CarrierView {
    /// Its id in views and events.
    pub id: &'static str,
    /// How a peer is reached by it.
    pub label: Label,
}

/// What people see of carriers.
pub fn carrier_views(carriers: impl Iterator<Item = CarrierId>) -> Vec<CarrierView> {
    let info = carriers.map(CarrierId::info);
    info.map(|info| CarrierView { id: info.id, label: info.label }).collect()
}

/// All kinds of content, in the order in which people choose from them.
#[must_use]
pub fn kind_views() -> Vec<KindView> {
    let view = |kind: &KindInfo| KindView {
        name: kind.name,
        label: kind.label,
        asks: kind.asks,
        warning: kind.warning,
        needs: kind.needs,
        input: kind.input,
    };
    kinds().map(view).collect()
}
