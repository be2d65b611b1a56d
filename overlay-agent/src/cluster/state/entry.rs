//! The entry of the log that is being applied.

use super::history::Touch;

/// Its circumstances, and what it changed so far in the view of the nodes.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its position in the log.
    pub(super) index: u64,
    /// When it was asked for, seconds since 1970.
    pub(super) at: u64,
    pub(super) touched: Vec<Touch>,
    /// Whether views of before can no longer be brought up to date.
    pub(super) breaks_history: bool,
}

impl Entry {
    pub(super) fn new(index: u64, at: u64) -> Self {
        Self {
            index,
            at,
            touched: Vec::new(),
            breaks_history: false,
        }
    }

    pub(super) fn touch(&mut self, touched: impl IntoIterator<Item = Touch>) {
        self.touched.extend(touched);
    }
}
