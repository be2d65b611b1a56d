//! How much others may ask of this node.

use std::time::Duration;

/// Limits of the transport. The defaults suit clusters of a thousand nodes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams at once that come from members' addresses.
    pub streams: usize,
    /// Streams at once that come from any other address.
    pub strangers: usize,
    /// Streams at once from one address (one /64 of IPv6 unless it is a member's).
    pub per_address: usize,
    /// Streams at once that this node opens.
    pub opened: usize,
    /// For opening a stream and for the handshake.
    pub handshake: Duration,
    /// For the next chunk.
    pub idle: Duration,
    /// For a whole stream.
    pub stream: Duration,
    /// Bytes that one stream may bring.
    pub stream_bytes: u64,
    /// Datagrams that wait to be handled, and as many that wait to be sent.
    pub queue: usize,
    /// What the kernel keeps of datagrams that have arrived, in bytes.
    pub receive_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 64,
            strangers: 16,
            per_address: 8,
            opened: 16,
            handshake: Duration::from_secs(5),
            idle: Duration::from_secs(10),
            stream: Duration::from_mins(2),
            stream_bytes: 512 << 20,
            queue: 4096,
            receive_buffer: 4 << 20,
        }
    }
}
