//! Several managers in one process, in virtual time, and one that is killed in its own.

mod cluster;
mod failover;
mod full_disk;
mod history;
mod killed;
pub(super) mod switch;
pub(super) mod table;
mod voters;
