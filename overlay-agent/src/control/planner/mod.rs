//! From what the cluster wants and the underlay offers to what the tables should hold. Pure: the
//! same facts give the same plan.

mod local;
mod remote;
#[cfg(test)]
mod tests;

pub use local::{endpoint_rows, interface_row, local_tables};
pub use remote::{
    Facts, OVERHEAD_V4, OVERHEAD_V6, blocks, networks, overhead, peers, remote_tables, routes,
    underlay_hooks,
};
