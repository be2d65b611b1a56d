//! What can be wrong with a value, and the way out.

use std::{net::IpAddr, path::PathBuf};

use ipnet::IpNet;

use crate::model::{ParseMacError, VniError};

/// Why a value cannot be used. The key it stands at is told by the error around it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A name that would be trouble in commands, files or addresses.
    #[error(
        "`{name}` is no name; use 1 to 64 letters, digits, `-`, `_` and `.`, first a letter or digit"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// Two objects with one name.
    #[error("`{name}` is listed twice; rename one or remove it")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// This host is no node.
    #[error("`{name}` is none of cluster.nodes ({known}); set `node:` to one of them, or add it")]
    NotANode {
        /// The name of this node.
        name: String,
        /// Nodes that there are.
        known: String,
    },
    /// Text that is no address.
    #[error("`{text}` is no IP address; write one like {example}")]
    NotAnAddress {
        /// What was given.
        text: String,
        /// What an address looks like here.
        example: &'static str,
    },
    /// Text that is no subnet.
    #[error("`{text}` is no subnet; write one like 10.1.0.0/24 or \"fd00:1::/64\"")]
    NotASubnet {
        /// What was given.
        text: String,
    },
    /// A subnet or block with bits behind its prefix.
    #[error("{net} has bits set behind its prefix; write {}", net.trunc())]
    HostBits {
        /// What was given.
        net: IpNet,
    },
    /// A static cluster without nodes.
    #[error(
        "there is none; list the hosts, or set cluster.mode to swarm to get them from managers"
    )]
    NoNodes,
    /// A key that belongs to the other mode.
    #[error("this key is for cluster.mode: {mode}; remove it, or change the mode")]
    OtherMode {
        /// The mode that it is for.
        mode: &'static str,
    },
    /// Text that is no address, with or without a port.
    #[error("`{text}` is no IP address with or without a port; write one like {example}")]
    NotASocketAddress {
        /// What was given.
        text: String,
        /// What one looks like here.
        example: &'static str,
    },
    /// An address that no other node can send to.
    #[error("{address} is {what}; use the address at which the other nodes reach this one")]
    NotForUnderlay {
        /// What was given.
        address: IpAddr,
        /// Its kind.
        what: &'static str,
    },
    /// A subnet from which containers cannot get addresses.
    #[error("{net} holds {what}; use a private range such as 10.1.0.0/24 or fd00:1::/64")]
    NotForContainers {
        /// What was given.
        net: IpNet,
        /// What it holds.
        what: &'static str,
    },
    /// A pool without an address for anybody.
    #[error("{net} has no address for a container; use a larger range such as 100.127.0.0/16")]
    PoolTooSmall {
        /// What was given.
        net: IpNet,
    },
    /// Two pools of one family.
    #[error("{net} and {other} are of one family; give one pool of each")]
    PoolsOfOneFamily {
        /// The second one.
        net: IpNet,
        /// The first one.
        other: IpNet,
    },
    /// A pool around the gateway's own addresses.
    #[error("{net} overlaps the gateway's own {other}; use another range such as 100.127.0.0/16")]
    PoolOverlapsGateway {
        /// What was given.
        net: IpNet,
        /// What the gateway has.
        other: IpNet,
    },
    /// Two nodes with one address.
    #[error("{address} is also the address of node `{other}`; every node needs its own")]
    AddressTwice {
        /// The address.
        address: IpAddr,
        /// The other node.
        other: String,
    },
    /// Nodes of both families.
    #[error(
        "{address} is {family}, but node `{other}` has {other_address}; give all nodes addresses of \
         one family"
    )]
    MixedFamilies {
        /// The address.
        address: IpAddr,
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// A node of the other family.
        other: String,
        /// Its address.
        other_address: IpAddr,
    },
    /// A VNI out of range.
    #[error(transparent)]
    Vni(#[from] VniError),
    /// Two networks with one VNI.
    #[error("{vni} is also the VNI of network `{other}`; every network needs its own")]
    VniTwice {
        /// The VNI.
        vni: u32,
        /// The other network.
        other: String,
    },
    /// A network without subnets.
    #[error("the list is empty; give the network at least one subnet like 10.1.0.0/24")]
    NoSubnets,
    /// A subnet without room for a gateway and a container.
    #[error("{net} is too small for a gateway and a container; use a prefix up to /{longest}")]
    SubnetTooSmall {
        /// What was given.
        net: IpNet,
        /// The longest prefix of its family.
        longest: u8,
    },
    /// Subnets of one network that share addresses.
    #[error("{net} overlaps {other} of the same network; use subnets that share no address")]
    SubnetsOverlap {
        /// What was given.
        net: IpNet,
        /// The one before it.
        other: IpNet,
    },
    /// A gateway in no subnet of its network.
    #[error("{address} is in none of the network's subnets ({subnets}); choose one inside")]
    OutsideSubnets {
        /// What was given.
        address: IpAddr,
        /// The network's subnets.
        subnets: String,
    },
    /// A subnet's own address or its broadcast address.
    #[error("{address} is the {what} address of {net}; no host can have it, choose another")]
    NotAHost {
        /// What was given.
        address: IpAddr,
        /// `network` or `broadcast`.
        what: &'static str,
        /// The subnet.
        net: IpNet,
    },
    /// Two gateways in one subnet.
    #[error("{address} and {other} are both in {net}; give one gateway for each subnet")]
    GatewaysInOneSubnet {
        /// What was given.
        address: IpAddr,
        /// The one before it.
        other: IpAddr,
        /// The subnet.
        net: IpNet,
    },
    /// An MTU below what the protocol demands.
    #[error("{mtu} is too small: {family} needs {least}; raise it, or leave `mtu` out")]
    MtuTooSmall {
        /// What was given.
        mtu: u64,
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// The least, bytes.
        least: u32,
    },
    /// An MTU that no outer packet can carry.
    #[error(
        "{mtu} is too big: {overhead} bytes of outer headers leave {most}; lower it, or leave `mtu` out"
    )]
    MtuTooBig {
        /// What was given.
        mtu: u64,
        /// Bytes of outer headers.
        overhead: u32,
        /// The most, bytes.
        most: u32,
    },
    /// A network that is not there.
    #[error("`{name}` is none of cluster.networks ({known}); correct the name or add the network")]
    NoNetwork {
        /// What was given.
        name: String,
        /// Networks that there are.
        known: String,
    },
    /// A block outside its network.
    #[error("{net} is in none of the network's subnets ({subnets}); choose a part of one")]
    BlockOutside {
        /// What was given.
        net: IpNet,
        /// The network's subnets.
        subnets: String,
    },
    /// Blocks that share addresses.
    #[error(
        "{net} overlaps {other} of node `{node}` in the same network; give every address to one node"
    )]
    BlocksOverlap {
        /// What was given.
        net: IpNet,
        /// The one before it.
        other: IpNet,
        /// Whose that is.
        node: String,
    },
    /// An Ethernet address that is none.
    #[error(transparent)]
    Mac(#[from] ParseMacError),
    /// An Ethernet address that no single host can have.
    #[error("{mac} is a multicast or zero address; make the second digit even, as in 02:42:…")]
    MacNotUnicast {
        /// What was given.
        mac: String,
    },
    /// An endpoint at its gateway.
    #[error("{address} is the gateway of {net}; choose another address, or move `gateway`")]
    AtGateway {
        /// What was given.
        address: IpAddr,
        /// The subnet.
        net: IpNet,
    },
    /// An address that two endpoints have.
    #[error("{address} of network `{network}` is listed twice: also at {other}; remove one")]
    EndpointTwice {
        /// The address.
        address: IpAddr,
        /// The network.
        network: String,
        /// Where else.
        other: String,
    },
    /// A line that is no endpoint.
    #[error("`{line}` is no endpoint; write NETWORK ADDRESS or NETWORK ADDRESS MAC")]
    NotAnEndpoint {
        /// What was given.
        line: String,
    },
    /// A number out of range.
    #[error("{number} is out of range; choose {least} to {most}")]
    OutOfRange {
        /// What was given.
        number: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A mark that is not one byte at the top.
    #[error(
        "{number:#010x} is no mark for encryption; choose 0x01000000 to 0xff000000 in which only the uppermost byte is set, as in 0xe5000000"
    )]
    NotAMark {
        /// What was given.
        number: u64,
    },
    /// An encrypted network without keys.
    #[error(
        "a file has no keys to encrypt with; use a swarm, or have another program make the kernel's xfrm states and say `encryption.keys: external`"
    )]
    NoKeys,
    /// A limit below what the same file needs.
    #[error("{limit} is too small: this file has {needed} ({what}); raise it to at least that")]
    LimitTooSmall {
        /// What was given, or the default.
        limit: u32,
        /// What is needed.
        needed: usize,
        /// What is counted.
        what: &'static str,
    },
    /// Text that is no duration.
    #[error("`{text}` is no duration; write numbers with units: 30s, 2m, 500ms")]
    NotADuration {
        /// What was given.
        text: String,
    },
    /// A duration that is less than what is measured.
    #[error("{text} is too short; use 1s or more")]
    ShortTimeout {
        /// What was given.
        text: String,
    },
    /// A duration that would keep the agent busy with nothing else.
    #[error("{text} is too short; use 100ms or more")]
    TooShort {
        /// What was given.
        text: String,
    },
}

/// Where a problem is.
#[derive(Debug)]
pub(super) enum Place {
    /// A key of the configuration.
    Key(String),
    /// A line, counted from 1, of a file of endpoints.
    Line { path: PathBuf, line: usize },
}

/// A problem and its place.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) place: Place,
    pub(super) problem: Box<Problem>,
}

impl Problem {
    pub(super) fn at_key(self, key: impl Into<String>) -> Refusal {
        Refusal {
            place: Place::Key(key.into()),
            problem: Box::new(self),
        }
    }

    pub(super) fn at(self, place: Place) -> Refusal {
        Refusal {
            place,
            problem: Box::new(self),
        }
    }
}

/// The first names of a list, for messages.
pub(super) fn names<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let mut all = all.into_iter();
    let mut shown: Vec<&str> = all.by_ref().take(SHOWN).collect();
    if all.next().is_some() {
        shown.push("…");
    }
    if shown.is_empty() {
        return "there is none".to_owned();
    }
    shown.join(", ")
}
