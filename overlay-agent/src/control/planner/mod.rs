//! From what the cluster wants and the underlay offers to what the tables should hold. Pure: the
//! same facts give the same plan.

mod cluster;
#[cfg(test)]
mod cluster_tests;
mod former;
mod local;
mod remote;
mod services;
#[cfg(test)]
mod services_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use cluster::{Cluster, Plan};
pub use local::{
    endpoint_rows, interface_row, local_tables, port_keys, published_rows, transit_rows,
};
pub use remote::{
    Facts, OVERHEAD_V4, OVERHEAD_V6, blocks, gateway_mtu, guard_hooks, networks, overhead, peers,
    remote_tables, route_entry, routes, underlay_hooks, within_esp,
};
pub use services::OwnTask;
