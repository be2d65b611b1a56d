//! Room for the sockets by which other resolvers are asked: each question has one of its own.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Questions on their way, connections, and all else that an agent has open.
const ENOUGH: u64 = 16_384;

/// Raises this process's own limit as far as it may; never lowers it.
pub(super) fn raise() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = ENOUGH.min(hard);
        if soft >= wanted {
            return Ok(());
        }
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)
    });
    if let Err(error) = raised {
        warn!(%error, "few files may be open, so few questions for names can be passed on at once");
    }
}
