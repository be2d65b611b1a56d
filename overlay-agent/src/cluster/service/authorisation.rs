//! Who may call what.

use super::{ErrorKind, Privilege, ServiceError, Standing};
use crate::model::Role;

/// What can be called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// Become a node.
    Join,
    /// Get a new certificate.
    Renew,
    /// Follow the cluster's state.
    Watch,
    /// Ask for something.
    Request(Privilege),
    /// Take part in consensus.
    Raft,
}

/// Whether somebody without a certificate, or a node with this role, may call the route.
///
/// # Errors
/// The refusal, in Docker's words where it has some.
pub fn authorise(route: Route, role: Option<Role>) -> Result<(), ServiceError> {
    match (route, role) {
        (Route::Join, None)
        | (Route::Renew | Route::Watch | Route::Request(Privilege::Node), Some(_))
        | (Route::Request(Privilege::Manager) | Route::Raft, Some(Role::Manager)) => Ok(()),
        (Route::Join, Some(_)) => Err(ServiceError::new(
            ErrorKind::Conflict,
            "This node is already part of a swarm.",
        )
        .with_help("leave with `overlay swarm leave` and join again")),
        (Route::Request(Privilege::Manager), Some(Role::Worker)) => Err(ServiceError::new(
            ErrorKind::Forbidden,
            "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster \
             state. Please run this command on a manager node or promote the current node to a \
             manager.",
        )),
        (Route::Raft, Some(Role::Worker)) => Err(ServiceError::new(
            ErrorKind::Forbidden,
            "This node is not a swarm manager: only managers take part in consensus.",
        )),
        (Route::Renew | Route::Watch | Route::Request(_) | Route::Raft, None) => {
            Err(ServiceError::new(
                ErrorKind::Unauthenticated,
                "this call needs a certificate of the cluster, and none was presented",
            )
            .with_help("join with `overlay swarm join`"))
        }
    }
}

/// What a manager that may be behind makes of a node it does not know: whoever brings it up to date must
/// get in, and nobody else.
pub(super) fn standing_for(route: Route, standing: Standing) -> Standing {
    match (standing, route) {
        (Standing::Unheard, Route::Raft) => Standing::Unknown,
        (standing, _) => standing,
    }
}

/// The role of a node with a valid certificate.
///
/// # Errors
/// It is no node any more.
pub fn effective_role(certified: Role, standing: Standing) -> Result<Role, ServiceError> {
    match standing {
        Standing::Member(role) => Ok(role.min(certified)),
        Standing::Unknown => Ok(certified),
        Standing::Unheard | Standing::Removed => Err(ServiceError::new(
            ErrorKind::Forbidden,
            "this node was removed from the swarm",
        )
        .with_help("leave with `overlay swarm leave --force`, and join again if it is wanted")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        use ErrorKind::{Conflict, Forbidden, Unauthenticated};
        use Role::{Manager, Worker};
        let node = Route::Request(Privilege::Node);
        let manager = Route::Request(Privilege::Manager);
        let table = [
            (Route::Join, [None, Some(Conflict), Some(Conflict)]),
            (Route::Renew, [Some(Unauthenticated), None, None]),
            (Route::Watch, [Some(Unauthenticated), None, None]),
            (node, [Some(Unauthenticated), None, None]),
            (manager, [Some(Unauthenticated), Some(Forbidden), None]),
            (Route::Raft, [Some(Unauthenticated), Some(Forbidden), None]),
        ];
        for (route, expected) in table {
            let found = [None, Some(Worker), Some(Manager)]
                .map(|role| authorise(route, role).err().map(|error| error.kind));

            assert_eq!(found, expected, "{route:?}");
        }
    }

    #[test]
    fn a_manager_that_may_be_behind_lets_consensus_alone_in() {
        assert_eq!(
            standing_for(Route::Raft, Standing::Unheard),
            Standing::Unknown
        );
        assert_eq!(
            standing_for(Route::Watch, Standing::Unheard),
            Standing::Unheard
        );
    }

    #[test]
    fn the_lesser_role_counts() {
        use Role::{Manager, Worker};
        let role = |certified, standing| effective_role(certified, standing).ok();

        assert_eq!(role(Manager, Standing::Member(Worker)), Some(Worker));
        assert_eq!(role(Worker, Standing::Member(Manager)), Some(Worker));
        assert_eq!(role(Manager, Standing::Member(Manager)), Some(Manager));
        assert_eq!(role(Manager, Standing::Unknown), Some(Manager));
        assert_eq!(role(Manager, Standing::Removed), None);
    }
}
