//! Traffic between namespaces, and what came of it: pings, floods and sweeps of them, bytes there and back, forged
//! datagrams, captures, and iperf3.

pub mod capture;
mod echo;
pub mod exchange;
pub mod flood;
pub mod forgery;
pub mod iperf;
pub mod ping;
pub mod sweep;

pub use capture::Capture;
pub use exchange::Exchange;
pub use flood::Flood;
pub use forgery::Forgery;
pub use iperf::{Iperf, TcpResult, UdpResult};
pub use ping::{Fragmentation, Ping, PingCount, Pinged, ping};
pub use sweep::sweep;
