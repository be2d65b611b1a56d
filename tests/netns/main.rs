//! Real agents, real packets: hosts and containers made of network namespaces. Needs root.

mod lifecycle;
mod pinned;
