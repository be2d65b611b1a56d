//! What the reconciler needs from the outside world, as traits that list only the calls it makes.
//!
//! `datapath` and the agent's netlink adapters implement them for the kernel, `fake` in memory.

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use super::{Action, Key, Repair, Row, Table};
use crate::model::{MacAddress, NamespaceId, PortKey, Way};

/// A program that is attached somewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Program {
    /// Ingress of the host end of an endpoint's interface pair.
    FromContainer,
    /// Ingress of an underlay device.
    FromUnderlay,
    /// Ingress of the collect-metadata vxlan device.
    FromTunnel,
    /// Egress of the gateway's near end.
    FromHost,
    /// Egress of an underlay device, while anything is encrypted.
    ToUnderlay,
    /// A system call of sockets, at the root of the cgroups.
    Socket(SocketCall),
}

/// Which packets of a device a program sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Direction {
    /// Those that it receives.
    Ingress,
    /// Those that it sends.
    Egress,
}

impl Program {
    /// Every program that hangs on devices.
    pub const OF_DEVICES: [Self; 5] = [
        Self::FromContainer,
        Self::FromUnderlay,
        Self::FromTunnel,
        Self::FromHost,
        Self::ToUnderlay,
    ];

    /// Every program.
    pub fn all() -> impl Iterator<Item = Self> {
        let sockets = SocketCall::ALL.into_iter().map(Self::Socket);
        Self::OF_DEVICES.into_iter().chain(sockets)
    }

    /// Which packets it sees; a program at sockets sees what they send.
    pub fn direction(self) -> Direction {
        match self {
            Self::FromContainer | Self::FromUnderlay | Self::FromTunnel => Direction::Ingress,
            Self::FromHost | Self::ToUnderlay | Self::Socket(_) => Direction::Egress,
        }
    }
}

/// System calls of sockets whose addresses are translated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum SocketCall {
    /// `connect` to IPv4 addresses.
    Connect4,
    /// `connect` to IPv6 addresses.
    Connect6,
    /// `sendmsg` to IPv4 addresses.
    Sendmsg4,
    /// `sendmsg` to IPv6 addresses.
    Sendmsg6,
    /// `recvmsg` from IPv4 addresses.
    Recvmsg4,
    /// `recvmsg` from IPv6 addresses.
    Recvmsg6,
    /// `getpeername` of IPv4 sockets.
    Getpeername4,
    /// `getpeername` of IPv6 sockets.
    Getpeername6,
}

impl SocketCall {
    /// Every call, those first that tell the old address: nobody shall see a task's address because the
    /// other half is not attached yet.
    pub const ALL: [Self; 8] = [
        Self::Getpeername4,
        Self::Getpeername6,
        Self::Recvmsg4,
        Self::Recvmsg6,
        Self::Connect4,
        Self::Connect6,
        Self::Sendmsg4,
        Self::Sendmsg6,
    ];
}

/// A program on a device, or at the root of the cgroups.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Hook {
    /// The program.
    pub program: Program,
    /// The device's index in the agent's namespace; 0 at the root of the cgroups.
    pub ifindex: u32,
}

impl Hook {
    /// A program at the root of the cgroups.
    pub fn of_sockets(call: SocketCall) -> Self {
        Self {
            program: Program::Socket(call),
            ifindex: 0,
        }
    }

    /// Where it is, in words.
    pub fn place(&self) -> String {
        match self.program {
            Program::Socket(_) => "the root of the cgroups".to_owned(),
            Program::FromContainer
            | Program::FromUnderlay
            | Program::FromTunnel
            | Program::FromHost
            | Program::ToUnderlay => format!("interface {}", self.ifindex),
        }
    }
}

/// Why a port could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} {object}{}", .kind.way_out())]
pub struct PortError {
    /// What was attempted, as a verb phrase.
    pub operation: &'static str,
    /// What it was attempted on.
    pub object: String,
    /// What the caller can do about it.
    pub kind: PortErrorKind,
    /// What the layer below says.
    #[source]
    pub source: Box<dyn StdError + Send + Sync>,
}

/// Failures that call for different reactions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PortErrorKind {
    /// The device or namespace is gone.
    Gone,
    /// A table has no room left.
    Full,
    /// Somebody else has it.
    Taken,
    /// Anything else.
    Other,
}

impl PortErrorKind {
    fn way_out(self) -> &'static str {
        match self {
            Self::Full => "; raise this table's number in datapath.limits and restart the agent",
            Self::Gone | Self::Taken | Self::Other => "",
        }
    }
}

impl PortError {
    /// A failure of `operation` on `object`.
    pub fn new(
        operation: &'static str,
        object: impl fmt::Display,
        kind: PortErrorKind,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            operation,
            object: object.to_string(),
            kind,
            source: source.into(),
        }
    }
}

/// Reading the data plane back.
pub trait Inspect {
    /// One entry.
    fn get(&self, key: &Key) -> Result<Option<Row>, PortError>;

    /// Every entry of a table, in no particular order. Entries that are written meanwhile may be
    /// missed or seen twice. Returns how many entries mean nothing: those that no agent wrote, and no
    /// [`Key`] stands for.
    fn rows(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<u64, PortError>;

    /// Whether the current version of the program runs there.
    fn is_attached(&self, hook: Hook) -> Result<bool, PortError>;
}

/// Writing the data plane.
pub trait Datapath: Inspect {
    /// Inserts or overwrites one entry.
    fn put(&mut self, row: &Row) -> Result<(), PortError>;

    /// Removes one entry; that it was not there is no error.
    fn remove(&mut self, key: &Key) -> Result<(), PortError>;

    /// Removes every entry of a table that means nothing; returns how many there were.
    fn purge(&mut self, table: Table) -> Result<u64, PortError>;

    /// Attaches a program, or replaces an older version of it atomically.
    fn attach(&mut self, hook: Hook) -> Result<(), PortError>;

    /// Detaches a program; that it or its device was not there is no error.
    fn detach(&mut self, hook: Hook) -> Result<(), PortError>;

    /// Every attachment that this or an earlier agent made and did not detach.
    fn hooks(&self) -> Result<Vec<Hook>, PortError>;

    /// Makes the programs send tunnelled packets to another vxlan device. Every hook must be attached
    /// again afterwards: until then the old programs run.
    fn retarget(&mut self, tunnel_ifindex: u32) -> Result<(), PortError>;
}

/// A BPF filter of a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filter {
    /// The device.
    pub ifindex: u32,
    /// Which packets it sees.
    pub direction: Direction,
    /// Place in the order; lower ones run first.
    pub priority: u16,
    /// Number among the filters of this priority.
    pub handle: u32,
    /// Name it was attached with.
    pub name: Option<String>,
    /// The kernel's number of its program.
    pub program_id: Option<u32>,
}

/// The clsact queueing discipline and its filters: what a data plane needs to know of them on kernels
/// where programs hang there.
pub trait TrafficControl: fmt::Debug + Send {
    /// Every device.
    fn devices(&mut self) -> Result<Vec<u32>, PortError>;

    /// BPF filters of a device in one direction; none if the device or its discipline is gone.
    fn filters(&mut self, ifindex: u32, direction: Direction) -> Result<Vec<Filter>, PortError>;

    /// Deletes a filter; that it was not there is no error.
    fn delete_filter(&mut self, filter: &Filter) -> Result<(), PortError>;

    /// Adds the discipline; returns whether it was missing.
    fn add_discipline(&mut self, ifindex: u32) -> Result<bool, PortError>;

    /// Removes the discipline, unless a filter hangs on it; that it was not there is no error.
    fn remove_unused_discipline(&mut self, ifindex: u32) -> Result<(), PortError>;
}

/// A device of the underlay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnderlayDevice {
    /// Its index.
    pub ifindex: u32,
    /// Its largest layer-3 packet, bytes.
    pub mtu: u32,
    /// Whether it carries Ethernet frames.
    pub is_ethernet: bool,
}

/// The host's own network.
pub trait Underlay {
    /// The ways to peers for packets with this source; none where the host has no route.
    fn ways(
        &mut self,
        source: IpAddr,
        destinations: &mut dyn Iterator<Item = IpAddr>,
    ) -> Result<BTreeMap<IpAddr, Way>, PortError>;

    /// The addresses by which the host can be reached from elsewhere, each with the device from which
    /// answers leave; 0 where no Ethernet device has it.
    fn own_addresses(&mut self) -> Result<BTreeMap<IpAddr, u32>, PortError>;

    /// The device that has this address; `None` where the host does not have it.
    fn device_of(&mut self, address: IpAddr) -> Result<Option<UnderlayDevice>, PortError>;
}

/// A container's interface, before it is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InterfaceWish {
    /// Path of the container's network namespace.
    pub netns: PathBuf,
    /// Name of the host end.
    pub host_interface: String,
    /// Ethernet address of the container end.
    pub mac: MacAddress,
    /// Largest layer-3 packet, bytes.
    pub mtu: u32,
    /// IPv4 address and prefix length.
    pub ipv4: Option<(Ipv4Addr, u8)>,
    /// IPv6 address and prefix length.
    pub ipv6: Option<(Ipv6Addr, u8)>,
    /// Other subnets of the network, reached over the same interface.
    pub on_link: Vec<ipnet::IpNet>,
    /// Destinations that are reached by way of a gateway, where the namespace has no way to them yet.
    pub via: Vec<(ipnet::IpNet, IpAddr)>,
}

/// The way between the host and its containers, as it was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gateway {
    /// Index of the near end, which has addresses and routes.
    pub near: u32,
    /// Index of the far end, into which packets from containers go.
    pub far: u32,
    /// Ethernet address of the near end.
    pub mac: MacAddress,
}

/// A container's interface that was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MadeInterface {
    /// Index of the host end.
    pub host_ifindex: u32,
    /// Name of the container end.
    pub interface: String,
    /// The namespace that the path led to.
    pub namespace: NamespaceId,
    /// By what the programs at sockets know it, if the kernel told.
    pub cookie: Option<u64>,
}

/// A host end that exists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostEnd {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// Whether it is switched on.
    pub is_up: bool,
}

/// Devices that the agent makes.
pub trait Plumbing {
    /// Makes an interface pair and configures both ends. Nothing is left behind when it fails.
    fn make(&mut self, wish: &InterfaceWish) -> Result<MadeInterface, PortError>;

    /// Removes an interface pair by its host end; that it was not there is no error.
    fn remove(&mut self, host_interface: &str, host_ifindex: u32) -> Result<(), PortError>;

    /// The host end with this index, if there is one.
    fn host_end(&mut self, ifindex: u32) -> Result<Option<HostEnd>, PortError>;

    /// Every host end of this agent.
    fn host_ends(&mut self) -> Result<Vec<HostEnd>, PortError>;

    /// Switches a host end on.
    fn raise(&mut self, end: &HostEnd) -> Result<(), PortError>;

    /// Keeps a port of the host from everybody else; that it is kept already is no error.
    fn hold_port(&mut self, key: &PortKey) -> Result<(), PortError>;

    /// Gives a port back.
    fn release_port(&mut self, key: &PortKey);

    /// Makes sure that the collect-metadata vxlan device is there and up; returns its index and what
    /// had to be done.
    fn ensure_tunnel(&mut self) -> Result<(u32, Option<Action>), PortError>;

    /// Makes sure that the way out is there, with everything that belongs to it in the host, or that nothing of it
    /// is there if there is to be none. `mtu` is the largest packet that goes in by it. Returns it and what had to be
    /// done.
    fn ensure_gateway(&mut self, mtu: u32) -> Result<(Option<Gateway>, Vec<Repair>), PortError>;
}
