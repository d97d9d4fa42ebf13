//! Passes a panic to the user interface, as a last snapshot with its text. The wasm instance is not
//! used afterwards.

use std::cell::RefCell;

use js_sys::{Function, Object, Reflect};
use wasm_bindgen::JsValue;

thread_local! {
    /// The listener, and the last snapshot that it received.
    static LISTENER: RefCell<Option<(Function, JsValue)>> = const { RefCell::new(None) };
}

/// Reports panics to `listener` from now on.
pub(super) fn report_to(listener: &Function) {
    LISTENER.with_borrow_mut(|slot| *slot = Some((listener.clone(), JsValue::NULL)));
    std::panic::set_hook(Box::new(|panic| report(&panic.to_string())));
}

/// Remembers the last snapshot.
pub(super) fn remember(snapshot: &JsValue) {
    LISTENER.with_borrow_mut(|slot| {
        if let Some((_, last)) = slot {
            *last = snapshot.clone();
        }
    });
}

fn report(text: &str) {
    // Only the first panic: later ones follow from it, and would hide the cause.
    let taken = LISTENER.try_with(|slot| slot.try_borrow_mut().ok().and_then(|mut s| s.take()));
    let Ok(Some((listener, last))) = taken else { return };
    let snapshot = Object::new();
    if let Some(last) = Object::try_from(&last) {
        Object::assign(&snapshot, last);
    }
    let _ = Reflect::set(&snapshot, &"fatal".into(), &text.into());
    let _ = listener.call1(&JsValue::NULL, &snapshot);
}
