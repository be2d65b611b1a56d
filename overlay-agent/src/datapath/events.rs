//! Sampled drops, as they happen.

use std::{
    io,
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use aya::maps::{MapData, RingBuf};
use nix::time::{ClockId, clock_gettime};
use overlay_common::{
    abi::map,
    event::{Event, Place},
    reason::Reason,
};
use tokio::io::unix::AsyncFd;
use zerocopy::FromBytes as _;

use super::{Error, Pins, maps::open, pins::file};

/// One sampled drop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DropEvent {
    /// When, nanoseconds since 1970.
    pub unix_ns: u64,
    /// The program that dropped the packet.
    pub place: &'static str,
    /// Why.
    pub reason: &'static str,
    /// Where the packet came in.
    pub ifindex: u32,
    /// VXLAN network identifier, if it was reached.
    pub vni: Option<u32>,
    /// Inner (else outer) source, if it was reached.
    pub source: Option<IpAddr>,
    /// Inner (else outer) destination, if it was reached.
    pub destination: Option<IpAddr>,
    /// Length of the packet, bytes.
    pub length: u32,
    /// How many packets this one stands for.
    pub sample: u32,
}

/// Yields drops in the order in which they happened. There must be one reader only.
#[derive(Debug)]
pub struct DropEvents {
    ring: AsyncFd<Ring>,
}

/// What `AsyncFd` can hold and print.
struct Ring(RingBuf<MapData>);

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ring")
    }
}

impl std::os::fd::AsRawFd for Ring {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

impl DropEvents {
    /// Opens the pinned ring buffer.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(pins: &Pins) -> Result<Self, Error> {
        let ring = Ring(open(pins, map::EVENT)?);
        #[expect(
            deprecated,
            reason = "its successor is unsafe, which this crate forbids; the ring keeps its descriptor as \
                      long as it lives, which is all that is asked"
        )]
        let ring = AsyncFd::new(ring).map_err(file("watch", &pins.map(map::EVENT)))?;
        Ok(Self { ring })
    }

    /// Waits for the next drop. Loses nothing if it is cancelled.
    pub async fn next(&mut self) -> io::Result<DropEvent> {
        loop {
            let mut ready = self.ring.readable_mut().await?;
            while let Some(record) = ready.get_inner_mut().0.next() {
                if let Ok(event) = Event::read_from_bytes(&record) {
                    return Ok(drop_of(&event));
                }
            }
            ready.clear_ready();
        }
    }
}

fn drop_of(event: &Event) -> DropEvent {
    let address = |address: overlay_common::address::Address| {
        (!address.is_unspecified()).then(|| IpAddr::from(address))
    };
    DropEvent {
        unix_ns: booted_unix_ns().saturating_add(event.boot_ns),
        place: Place::label(event.place),
        reason: Reason::from_number(event.reason).map_or("unknown", Reason::label),
        ifindex: event.ifindex,
        vni: (event.vni != 0).then_some(event.vni),
        source: address(event.source),
        destination: address(event.destination),
        length: event.length,
        sample: event.sample,
    }
}

/// When the machine was started, by today's clock.
fn booted_unix_ns() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_or_else(|_unsupported| now, std::time::Duration::from);
    u64::try_from(now.saturating_sub(since_boot).as_nanos()).unwrap_or_default()
}
