//! Traffic between namespaces, and what came of it: pings, floods and sweeps of them, bytes there and back, forged
//! datagrams, garbage, requests and their fates, captures, and iperf3.

pub mod capture;
pub mod cleartext;
mod echo;
pub mod exchange;
pub mod flood;
pub mod forgery;
pub mod garbage;
pub mod iperf;
pub mod ping;
pub mod questions;
pub mod requests;
pub mod sweep;
pub mod udp_server;

pub use capture::Capture;
pub use cleartext::{Cleartext, Form};
pub use exchange::Exchange;
pub use flood::Flood;
pub use forgery::Forgery;
pub use garbage::Garbage;
pub use iperf::{Iperf, TcpResult, UdpResult};
pub use ping::{Fragmentation, Ping, PingCount, Pinged, ping};
pub use questions::{Hearing, Questions, Told};
pub use requests::{Attempt, Carrier, Load, Outcome, Record, Target};
pub use sweep::sweep;
pub use udp_server::UdpServer;
