//! Several managers in one process.

pub(super) mod switch;
pub(super) mod table;
