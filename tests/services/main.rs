//! Services on real agents: nginx tasks by `overlay run --service`, balanced, published and moved. Needs root and
//! nginx.

mod balance;
mod clients;
mod failures;
mod names;
mod ports;
mod scene;
mod sockets;
mod tools;
mod walkthrough;
