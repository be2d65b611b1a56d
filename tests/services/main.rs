//! Services on real agents: nginx tasks by `overlay run --service`, balanced, published and moved. Needs root and
//! nginx.

mod balance;
mod clients;
mod failures;
mod idleness;
mod large;
mod names;
mod ports;
mod restarts;
mod scene;
mod sockets;
mod tools;
mod walkthrough;
