//! The BPF programs and maps: loading, attaching, pinning, reading and writing them. The only place
//! that knows how the maps are laid out.
//!
//! Implements what `control` asks of a data plane. Decides nothing: which entries and hooks there
//! should be is decided there.

mod attach;
mod counters;
mod error;
mod events;
mod features;
mod flows;
mod kernel;
mod load;
mod maps;
mod object;
mod pins;
mod sockets;
mod spec;
mod table;
mod uninstall;

pub use counters::{Counters, MapUse, Total, map_uses};
pub use error::Error;
pub use events::{DropEvent, DropEvents};
pub use features::{AttachMode, Features, Missing, SocketHooks};
pub use flows::{ClientFlow, Flows, Sweep, Timeouts};
pub use kernel::{KernelDatapath, KernelInspector};
pub use load::{DatapathConfig, program_name};
pub use maps::map_name;
pub use overlay_common::abi::VERSION as ABI_VERSION;
pub use pins::{Pins, is_mounted};
pub use sockets::{LedSocket, LedSockets};
pub use spec::Capacity;
pub use uninstall::{remove_filters, remove_pins};
