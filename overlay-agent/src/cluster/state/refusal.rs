//! Why a change was refused, and the way out.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::services::ServiceRefusal;
use crate::model::{NodeId, Vni};

/// A change that was refused: what is wrong with which object. [`Refusal::help`] has the way out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// No cluster yet.
    #[error("this node is not a swarm manager: no cluster was begun here")]
    NoCluster,
    /// A cluster already.
    #[error("this node is already part of a swarm")]
    ClusterExists,
    /// A port that is out of range.
    #[error("data path port {port} is out of range")]
    DataPathPort {
        /// What was given.
        port: u16,
    },
    /// A pool whose subnets make no sense.
    #[error("default address pool {net} cannot be cut into subnets of /{mask_length}")]
    MaskLength {
        /// The pool.
        net: IpNet,
        /// What was given.
        mask_length: u8,
        /// The longest of its family.
        longest: u8,
    },
    /// Pools that share addresses.
    #[error("default address pool {net} overlaps pool {other}")]
    PoolsOverlap {
        /// What was given.
        net: IpNet,
        /// The one before it.
        other: IpNet,
    },

    /// A node that is not there.
    #[error("node {node} not found")]
    NoNode {
        /// What was given.
        node: String,
    },
    /// A name or part of an identifier that several nodes have.
    #[error("node {node} is ambiguous ({count} matches found)")]
    AmbiguousNode {
        /// What was given.
        node: String,
        /// How many nodes have it.
        count: usize,
    },
    /// A host's name that would be trouble.
    #[error("`{hostname}` is no host name")]
    Hostname {
        /// What was given.
        hostname: String,
    },
    /// A node that was taken out.
    #[error("node {node} was removed from the swarm")]
    NodeRemoved {
        /// Which one.
        node: NodeId,
    },
    /// An address that no peer can send to.
    #[error("{purpose} address {address} is {what}")]
    NotForUnderlay {
        /// `data path`, `gossip` or `control`.
        purpose: String,
        /// What was given.
        address: IpAddr,
        /// Its kind.
        what: String,
    },
    /// A data-path address that another node has.
    #[error("data path address {address} is in use by node {hostname} ({node}), which answers")]
    AddressTaken {
        /// The address.
        address: IpAddr,
        /// The other node.
        node: NodeId,
        /// Its host's name.
        hostname: String,
    },
    /// Data-path addresses of both families.
    #[error("data path address {address} is not of the family of the other nodes' ({other})")]
    MixedFamilies {
        /// The address.
        address: IpAddr,
        /// Another node's.
        other: IpAddr,
    },
    /// Nobody would be left to manage.
    #[error("node {node} is the last manager of the swarm: all of its state would be lost")]
    LastManager {
        /// Which one.
        node: NodeId,
    },
    /// The managers would lose their majority.
    #[error(
        "without node {node} only {up} of {left} managers would answer: a loss of quorum, after which \
         nothing can be changed"
    )]
    QuorumLoss {
        /// Which one.
        node: NodeId,
        /// How many others answer.
        up: usize,
        /// How many others there are.
        left: usize,
    },
    /// A manager cannot be removed.
    #[error("node {node} is a cluster manager and is a member of the raft cluster")]
    IsManager {
        /// Which one.
        node: NodeId,
    },
    /// A node that answers.
    #[error("node {node} is not down and can't be removed")]
    NotDown {
        /// Which one.
        node: NodeId,
    },
    /// A label that is not there.
    #[error("label `{label}` does not exist in the labels of node {node}")]
    NoLabel {
        /// Which node.
        node: NodeId,
        /// What was given.
        label: String,
    },
    /// A label or option without a name.
    #[error("{what} without a name before its `=`")]
    NoKey {
        /// `label` or `option`.
        what: String,
    },
    /// A secret that anyone could guess.
    #[error("the secret of the {role} token is empty or the other token's")]
    WeakToken {
        /// Whose.
        role: String,
    },
    /// An authority that is the present one, or without a name.
    #[error("the new root CA is the current one or has no name")]
    SameAuthority,
    /// A bundle without an authority that nodes trust now.
    #[error("another rotation of the root CA came first")]
    AuthorityOvertaken,
    /// A time in which the cluster cannot work.
    #[error("{what} of {seconds} s is too short: {least} s at least")]
    TooShort {
        /// Which time.
        what: String,
        /// What was wished for.
        seconds: u64,
        /// What is possible.
        least: u64,
    },
    /// No rotation under way.
    #[error("no root CA rotation is under way")]
    NoAuthorityRotation,
    /// Nodes have not followed yet.
    #[error("{count} nodes still have certificates of the old root CA, among them {node}")]
    AuthorityRotationUnfinished {
        /// How many.
        count: usize,
        /// One of them.
        node: NodeId,
    },
    /// A generation that senders still use, or that never was.
    #[error("key {oldest} is not the primary one or an older one")]
    KeyInUse {
        /// What was given.
        oldest: u32,
        /// The generation that senders use.
        primary: u32,
    },

    /// A network that is not there.
    #[error("network {network} not found")]
    NoNetwork {
        /// What was given.
        network: String,
    },
    /// Part of an identifier that several networks have.
    #[error("network {network} is ambiguous ({count} matches found based on ID prefix)")]
    AmbiguousNetwork {
        /// What was given.
        network: String,
        /// How many networks have it.
        count: usize,
    },
    /// A name that would be trouble.
    #[error("invalid network name `{name}`")]
    NetworkName {
        /// What was given.
        name: String,
    },
    /// A name with a meaning of its own.
    #[error("operation is not permitted on predefined {name} network")]
    PredefinedName {
        /// What was given.
        name: String,
    },
    /// A name that another network has.
    #[error("network with name {name} already exists")]
    NetworkExists {
        /// What was given.
        name: String,
    },
    /// An identifier that another network has.
    #[error("network identifier {id} is in use by network {other}")]
    NetworkIdTaken {
        /// What was given.
        id: String,
        /// The other network's name.
        other: String,
    },
    /// An option whose value makes no sense.
    #[error("option {option}={value}: {problem}")]
    NetworkOption {
        /// Its name.
        option: String,
        /// What was given.
        value: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A VNI that another network has.
    #[error("VNI {vni} is in use by network {other}")]
    VniTaken {
        /// What was given.
        vni: Vni,
        /// The other network's name.
        other: String,
    },
    /// No VNI is left.
    #[error("all VNIs from 4096 to 16777215 are in use")]
    NoVni,
    /// A network without addresses.
    #[error("IPv4 or IPv6 must be enabled")]
    NoFamily,
    /// Bits behind the prefix.
    #[error("{net} has bits set behind its prefix")]
    HostBits {
        /// What was given.
        net: IpNet,
    },
    /// A subnet without room for a gateway and a container.
    #[error("subnet {net} is too small for a gateway and a container")]
    SubnetTooSmall {
        /// What was given.
        net: IpNet,
        /// The longest prefix of its family.
        longest: u8,
    },
    /// A subnet from which containers cannot get addresses.
    #[error("{net} holds {what}")]
    NotForContainers {
        /// What was given.
        net: IpNet,
        /// What it holds.
        what: String,
    },
    /// Subnets of one network that share addresses.
    #[error("subnet {net} overlaps subnet {other} of the same network")]
    SubnetsOverlap {
        /// What was given.
        net: IpNet,
        /// The one before it.
        other: IpNet,
    },
    /// A subnet that another network has.
    #[error("subnet {net} overlaps {other} of network {network}")]
    SubnetTaken {
        /// What was given.
        net: IpNet,
        /// The other network's subnet.
        other: IpNet,
        /// The other network's name.
        network: String,
    },
    /// A subnet that the host reaches otherwise.
    #[error("subnet {net} overlaps the host's route to {route}")]
    HostRoute {
        /// What was given.
        net: IpNet,
        /// The route.
        route: IpNet,
    },
    /// No subnet is left in the pools.
    #[error("all predefined address pools have been fully subnetted ({family})")]
    PoolsExhausted {
        /// `IPv4` or `IPv6`.
        family: String,
    },
    /// A range, gateway or kept address in no subnet.
    #[error("no matching subnet for {what} {given}")]
    NoMatchingSubnet {
        /// `range`, `gateway` or `aux-address`.
        what: String,
        /// What was given.
        given: String,
    },
    /// Two ranges in one subnet.
    #[error("cannot configure multiple ranges ({range}, {other}) on the same subnet ({net})")]
    RangesInOneSubnet {
        /// What was given.
        range: IpNet,
        /// The one before it.
        other: IpNet,
        /// The subnet.
        net: IpNet,
    },
    /// Two gateways in one subnet.
    #[error("cannot configure multiple gateways ({address}, {other}) for the same subnet ({net})")]
    GatewaysInOneSubnet {
        /// What was given.
        address: IpAddr,
        /// The one before it.
        other: IpAddr,
        /// The subnet.
        net: IpNet,
    },
    /// A subnet's own address or its broadcast address.
    #[error("{address} is the {what} address of subnet {net}: no host can have it")]
    NotAHost {
        /// What was given.
        address: IpAddr,
        /// `network` or `broadcast`.
        what: String,
        /// The subnet.
        net: IpNet,
    },
    /// A network that still serves.
    #[error("network {network} has active endpoints ({endpoints})")]
    NetworkInUse {
        /// Its name.
        network: String,
        /// How many.
        endpoints: u64,
    },

    /// A network that a service is on.
    #[error("network {network} is in use by service {service}")]
    NetworkOfService {
        /// Its name.
        network: String,
        /// The service's name.
        service: String,
    },
    /// The ingress network, while services need it.
    #[error("ingress network cannot be removed because service {service} depends on it")]
    IngressInUse {
        /// One of them.
        service: String,
    },
    /// A second ingress network.
    #[error("ingress-network ({network}) is already present")]
    IngressPresent {
        /// The first one's name.
        network: String,
    },
    /// An ingress network for containers.
    #[error("ingress network cannot be attachable")]
    IngressAttachable,

    /// A service that cannot be as it is asked for.
    #[error(transparent)]
    Service(#[from] ServiceRefusal),

    /// Nothing was asked for.
    #[error("the request names no {what}")]
    NothingAsked {
        /// What is missing.
        what: String,
    },
    /// A network without subnets of a family.
    #[error("network {network} has no {family} subnet")]
    NoSubnetOfFamily {
        /// Its name.
        network: String,
        /// `IPv4` or `IPv6`.
        family: String,
    },
    /// All addresses are leased.
    #[error("no available {family} addresses in network {network}: all are leased to nodes")]
    AddressesExhausted {
        /// Its name.
        network: String,
        /// `IPv4` or `IPv6`.
        family: String,
    },
    /// An address in no subnet.
    #[error("{address} is in no subnet of network {network}")]
    OutsideSubnets {
        /// What was given.
        address: IpAddr,
        /// The network's name.
        network: String,
        /// Its subnets.
        subnets: String,
    },
    /// An address that no endpoint may have.
    #[error("{address} is {what} of network {network}")]
    Reserved {
        /// What was given.
        address: IpAddr,
        /// What it is.
        what: String,
        /// The network's name.
        network: String,
    },
    /// An address that another node has.
    #[error("address {address} of network {network} is already in use by node {node}")]
    AddressInUse {
        /// What was given.
        address: IpAddr,
        /// The network's name.
        network: String,
        /// The holder.
        node: NodeId,
    },
    /// Addresses that the node does not have.
    #[error("node {node} has no lease of {block} in network {network}")]
    NotLeased {
        /// Who gives back.
        node: NodeId,
        /// What was given.
        block: IpNet,
        /// The network's name.
        network: String,
    },
    /// Addresses that are given back twice at once.
    #[error("{block} is given back together with {other}, which shares addresses with it")]
    GivenBackTwice {
        /// What was given.
        block: IpNet,
        /// The one before it.
        other: IpNet,
    },
}
