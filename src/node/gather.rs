//! Collecting into ordered maps and sets, one by one.
//!
//! `collect` sorts a list first, which costs 3 KB of wasm for every type that is collected; there are at most a few dozen
//! things here at any time.

/// Puts what an iterator gives into a collection.
pub(super) fn gather<T, C: Default + Extend<T>>(items: impl IntoIterator<Item = T>) -> C {
    let mut all = C::default();
    all.extend(items);
    all
}
