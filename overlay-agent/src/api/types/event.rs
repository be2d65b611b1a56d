//! One line of `overlay monitor`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One sampled drop.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, nanoseconds since 1970.
    pub unix_ns: u64,
    /// The program that dropped the packet.
    pub place: String,
    /// Why, as `overlay stats` calls it.
    pub reason: String,
    /// Where the packet came in: the interface's name, or `#7` where the name is gone.
    pub interface: String,
    /// The endpoint behind that interface.
    pub endpoint: Option<String>,
    /// The network: its name, or its VNI where it has none.
    pub network: Option<String>,
    /// Inner (else outer) source, if it was reached.
    pub source: Option<IpAddr>,
    /// Inner (else outer) destination, if it was reached.
    pub destination: Option<IpAddr>,
    /// Length of the packet, bytes.
    pub length: u32,
    /// How many packets this one stands for.
    pub sample: u32,
}
