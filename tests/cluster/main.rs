//! Real agents that become one cluster by `swarm init` and `swarm join`, with real packets. Needs root.

mod fuzz;
mod leases;
mod managers;
mod maps;
mod names;
mod partition;
mod refusals;
mod restarts;
mod services_state;
mod tasks;
mod telling;
mod trust;
mod walkthrough;
