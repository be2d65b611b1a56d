//! When the core wants to be called.

use std::collections::BTreeMap;

use tokio::time::{Instant, sleep_until};

/// Timers by their time, and by the order in which they were set.
#[derive(Debug)]
pub(super) struct Timers<T> {
    due: BTreeMap<(Instant, u64), T>,
    set: u64,
}

impl<T> Timers<T> {
    pub(super) fn new() -> Self {
        Self {
            due: BTreeMap::new(),
            set: 0,
        }
    }

    pub(super) fn set(&mut self, at: Instant, timer: T) {
        self.set += 1;
        self.due.insert((at, self.set), timer);
    }

    /// The first one whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<T> {
        let first = self.due.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Waits for the first one.
    pub(super) fn wait(&self) -> impl Future<Output = ()> + use<T> {
        let first = self.due.first_key_value().map(|((at, _), _)| *at);
        async move {
            match first {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn timers_come_in_their_order_and_not_early() {
        let start = Instant::now();
        let mut timers = Timers::new();
        for (ms, name) in [(20, "c"), (10, "a"), (10, "b")] {
            timers.set(start + Duration::from_millis(ms), name);
        }

        assert_eq!(timers.take_due(start), None);
        timers.wait().await;
        let due = start + Duration::from_millis(10);
        assert!(Instant::now() >= due);
        assert_eq!(timers.take_due(due), Some("a"));
        assert_eq!(timers.take_due(due), Some("b"));
        assert_eq!(timers.take_due(due), None);
        timers.wait().await;
        assert_eq!(timers.take_due(Instant::now()), Some("c"));
    }
}
