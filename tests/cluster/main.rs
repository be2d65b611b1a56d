//! Real agents that become one cluster by `swarm init` and `swarm join`, with real packets. Needs root.

mod fuzz;
mod leases;
mod managers;
mod partition;
mod refusals;
mod restarts;
mod telling;
mod trust;
mod walkthrough;
