//! Real agents, real packets: hosts and containers made of network namespaces. Needs root.

mod drift;
mod isolation;
mod lifecycle;
mod modes;
mod mtu;
mod pinned;
mod scene;
mod spoofing;
mod traces;
mod walks;
