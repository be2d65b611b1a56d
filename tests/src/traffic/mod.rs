//! Traffic between namespaces, and what came of it: pings, floods and sweeps of them, and iperf3.

mod echo;
pub mod flood;
pub mod iperf;
pub mod ping;
pub mod sweep;

pub use flood::Flood;
pub use iperf::{Iperf, TcpResult, UdpResult};
pub use ping::{PingCount, ping};
pub use sweep::sweep;
