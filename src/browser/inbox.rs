//! A queue between the browser's callbacks and the node.
//!
//! Callbacks only put something in; one task takes it out. So no callback runs while the node is
//! borrowed, and none is freed while it runs.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// A queue with one reader.
pub(super) struct Inbox<T>(Rc<RefCell<Inner<T>>>);

struct Inner<T> {
    queue: VecDeque<T>,
    reader: Option<Waker>,
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Inbox<T> {
    pub(super) fn new() -> Self {
        Self(Rc::new(RefCell::new(Inner { queue: VecDeque::new(), reader: None })))
    }

    pub(super) fn put(&self, item: T) {
        let mut inner = self.0.borrow_mut();
        inner.queue.push_back(item);
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
    }

    /// Waits for the next item.
    pub(super) async fn take(&self) -> T {
        std::future::poll_fn(|cx| {
            let mut inner = self.0.borrow_mut();
            match inner.queue.pop_front() {
                Some(item) => Poll::Ready(item),
                None => {
                    inner.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
