//! Refusals that several parts of the agent have to tell alike, in Docker's words where it has some.

use super::ApiError;

/// A verb of the cluster on a node that is in none.
pub fn not_in_swarm() -> ApiError {
    ApiError::conflict("This node is not part of a swarm")
        .with_help("run `overlay swarm init` to make one, or `overlay swarm join` to join one")
}

/// `init` or `join` on a node that is in a cluster.
pub fn already_in_swarm() -> ApiError {
    ApiError::conflict("This node is already part of a swarm")
        .with_help("run `overlay swarm leave` first to make or join another one")
}

/// A verb of the cluster on a node whose networks and peers are in its configuration file.
pub fn is_static() -> ApiError {
    ApiError::conflict("this node has its networks and peers from its configuration file")
        .with_help("take `cluster` out of the file and start the agent again to use a swarm")
}

/// Something that only managers may do or see, asked of a worker.
pub fn not_a_manager() -> ApiError {
    ApiError::forbidden(
        "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state",
    )
    .with_help("run this command on a manager, or promote this node with `overlay node promote` there")
}

/// Too few managers to decide anything.
pub fn no_leader() -> ApiError {
    ApiError::unavailable(
        "The swarm does not have a leader. It's possible that too few managers are online",
    )
    .with_help(
        "make sure that more than half of the managers are online; traffic goes on meanwhile",
    )
}

/// The last manager wants to leave, or to be a worker.
pub fn last_manager() -> ApiError {
    ApiError::conflict(
        "This node is the last manager. Removing it erases all current state of the swarm",
    )
    .with_help("use --force to do so")
}

/// One of several managers wants to leave.
pub fn leaves_as_manager(managers: u64, tolerated: u64) -> ApiError {
    let rest = managers.saturating_sub(1);
    ApiError::conflict(format!(
        "This node is one of {managers} managers, of which {tolerated} may fail; {rest} would be left"
    ))
    .with_help("demote it first with `overlay node demote`, or use --force")
}

/// A container that is no task wants into a network that takes only tasks.
pub fn not_attachable(network: &str) -> ApiError {
    ApiError::forbidden(format!(
        "Could not attach to network {network}: network {network} not manually attachable"
    ))
    .with_help(
        "make networks for containers of your own with `overlay network create --attachable`",
    )
}

/// A node in drain or pause is asked to take an endpoint.
pub fn not_active(availability: crate::model::Availability) -> ApiError {
    ApiError::conflict(format!(
        "this node takes no new endpoints: its availability is {availability}"
    ))
    .with_help("run `overlay node update --availability active` for it on a manager")
}

/// A network that something uses is to be taken away; `users` tells some of them.
pub fn network_in_use(network: &str, users: &[String]) -> ApiError {
    ApiError::conflict(format!(
        "network {network} is in use by {}",
        users.join(", ")
    ))
    .with_help(format!(
        "`overlay network inspect --verbose {network}` lists all; detach them first"
    ))
}

/// There is no such network.
pub fn no_network(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no network `{name}`"))
        .with_help("`overlay network ls` shows them")
}

/// There is no such node.
pub fn no_node(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no node `{name}`"))
        .with_help("`overlay node ls` shows them")
}

/// Several nodes are called so.
pub fn ambiguous_node(name: &str, matches: usize) -> ApiError {
    ApiError::bad_request(format!(
        "node {name} is ambiguous ({matches} matches found)"
    ))
    .with_help("give its identifier, which `overlay node ls` shows")
}

/// A node that answers is to be forgotten.
pub fn node_not_down(name: &str) -> ApiError {
    ApiError::conflict(format!("node {name} is not down and can't be removed"))
        .with_help("run `overlay swarm leave` there first, or use --force")
}

/// A manager is to be forgotten.
pub fn node_is_manager(name: &str) -> ApiError {
    ApiError::conflict(format!(
        "node {name} is a cluster manager and is a member of the raft cluster"
    ))
    .with_help(format!(
        "demote it to a worker first: `overlay node demote {name}`"
    ))
}
