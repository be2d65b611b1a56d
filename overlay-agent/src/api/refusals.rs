//! Refusals that several parts of the agent have to tell alike, in Docker's words where it has some.
//! What the managers refuse has words of its own.

use super::ApiError;
use crate::model::Availability;

/// A verb of the cluster on a node that is in none.
pub fn not_in_swarm() -> ApiError {
    ApiError::conflict("This node is not part of a swarm")
        .with_help("run `overlay swarm init` to make one, or `overlay swarm join` to join one")
}

/// A verb of the cluster on a node that has a part in one, but could not take it up yet.
pub fn not_taken_up() -> ApiError {
    ApiError::unavailable("this node could not take up its part in its swarm yet")
        .with_help("the agent's log says why; it tries again every few seconds")
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
    let error = "This node is not a swarm manager. Worker nodes can't be used to view or modify \
                 cluster state";
    ApiError::forbidden(error).with_help(
        "run this command on a manager, or promote this node there with `overlay node promote`",
    )
}

/// Too few managers to decide anything.
pub fn no_leader() -> ApiError {
    let error = "The swarm does not have a leader. It's possible that too few managers are online";
    ApiError::unavailable(error)
        .with_help("have more than half of the managers online; traffic goes on meanwhile")
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

/// There is no such service.
pub fn no_service(name: &str) -> ApiError {
    ApiError::not_found(format!("service {name} not found"))
        .with_help("`overlay service ls` shows them on a manager")
}

/// A task wants into a network that its service is not on.
pub fn not_on_network(service: &str, network: &str) -> ApiError {
    ApiError::bad_request(format!(
        "service {service} is not attached to network {network}"
    ))
    .with_help(format!(
        "leave --network out to attach to all networks of the service, or run `overlay service update \
         --network-add {network} {service}` first"
    ))
}

/// A node in pause or drain is asked to take an endpoint.
pub fn not_active(availability: Availability) -> ApiError {
    ApiError::conflict(format!(
        "this node takes no new endpoints: its availability is {availability}"
    ))
    .with_help("run `overlay node update --availability active` for it on a manager")
}

/// There is no such network.
pub fn no_network(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no network `{name}`"))
        .with_help("`overlay network ls` shows them")
}
