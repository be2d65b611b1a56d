//! The ports in memory. The data plane of the fakes checks at every step that no entry names
//! something that is not there.

mod datapath;
mod plumbing;
mod underlay;

pub(super) use datapath::FakeDatapath;
pub(super) use plumbing::FakePlumbing;
pub(super) use underlay::FakeUnderlay;
