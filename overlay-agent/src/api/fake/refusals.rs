//! What the fake managers refuse.

use crate::api::ApiError;

pub(crate) fn last_manager() -> ApiError {
    ApiError::conflict("this node is the last manager").with_help("use --force")
}

pub(crate) fn loses_quorum() -> ApiError {
    ApiError::conflict("without this node the managers lose their majority")
        .with_help("demote it first, or use --force")
}

pub(crate) fn network_in_use(network: &str, user: &str) -> ApiError {
    ApiError::conflict(format!("network {network} is in use by {user}"))
        .with_help("detach it first")
}

pub(crate) fn no_node(name: &str) -> ApiError {
    ApiError::not_found(format!("node {name} not found")).with_help("`overlay node ls` shows them")
}

pub(crate) fn node_not_down(name: &str) -> ApiError {
    ApiError::conflict(format!("node {name} is not down and can't be removed"))
}

pub(crate) fn node_is_manager(name: &str) -> ApiError {
    ApiError::conflict(format!("node {name} is a cluster manager"))
        .with_help(format!("run `overlay node demote {name}` first"))
}

pub(crate) fn no_endpoint(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no endpoint `{name}`"))
        .with_help("`overlay endpoint ls` shows them")
}
