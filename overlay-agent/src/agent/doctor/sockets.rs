//! Balancing by sockets, and ending them.

use super::{chain, ok, warn};
use crate::{agent::shared::Shared, api::types::Check, netlink::SocketDiagnosis};

/// Whether services are balanced once for each socket.
pub(super) fn balancing(shared: &Shared) -> Check {
    const NAME: &str = "socket balancing";
    if !shared.settings.services.socket_lb {
        return ok(
            NAME,
            "switched off by services.socket_lb: packets are balanced instead",
        );
    }
    if !shared.balances_sockets() {
        return warn(
            NAME,
            "not on this kernel: packets are balanced instead, and 127.0.0.11 leads nowhere",
            "see `kernel` above for what it lacks",
        );
    }
    let directory = shared.directory();
    let unknown = directory
        .iter()
        .filter(|attachment| attachment.cookie.is_none())
        .count();
    if unknown > 0 {
        return warn(
            NAME,
            format!("on, but the namespaces of {unknown} endpoints could not be told apart"),
            "detach and attach them again",
        );
    }
    ok(NAME, "on")
}

/// Whether sockets whose task has ended can be ended too.
pub(super) fn ending() -> Check {
    const NAME: &str = "ending sockets";
    match SocketDiagnosis::open().and_then(|mut diagnosis| diagnosis.can_end()) {
        Ok(true) => ok(NAME, "this kernel can end those whose task has ended"),
        Ok(false) => warn(
            NAME,
            "this kernel cannot: a process that waits for a task that is gone notices by its own timeout only",
            "run a kernel with CONFIG_INET_DIAG_DESTROY",
        ),
        Err(error) => warn(NAME, chain(&error), "see the agent's log"),
    }
}
