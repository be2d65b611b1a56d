//! What the rest of the agent may ask of the gossip.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use tokio::sync::{mpsc, oneshot};

use super::handle::Aside;
use crate::{
    gossip::core::ClaimError,
    model::{Claim, KeyRing, NodeId, Observed, Vni},
};

#[derive(Debug)]
pub(super) enum Command {
    Claim(Claim, oneshot::Sender<Result<(), ClaimError>>),
    Withdraw(Vni, IpAddr, oneshot::Sender<bool>),
    Attend(Vni, oneshot::Sender<()>),
    LeaveNetwork(Vni, oneshot::Sender<()>),
    Visit(Vni, oneshot::Sender<bool>),
    EndVisit(Vni),
    SetMembers(BTreeMap<NodeId, SocketAddr>, oneshot::Sender<()>),
    SetKeys(KeyRing, oneshot::Sender<()>),
    Attendees(Vni, oneshot::Sender<BTreeSet<NodeId>>),
    Named(Vni, String, oneshot::Sender<BTreeSet<NodeId>>),
    CountClaims(oneshot::Sender<u64>),
    Observe(oneshot::Sender<Observed>),
    Watch(BTreeSet<NodeId>, oneshot::Sender<()>),
    Say(NodeId, Vec<u8>, oneshot::Sender<()>),
    Listen(mpsc::Sender<Aside>, oneshot::Sender<()>),
    Leave(oneshot::Sender<()>),
}
