//! The running gossip: one task that owns the core, and handles to it.
//!
//! | task | in | out |
//! |---|---|---|
//! | `owner` | [`GossipHandle`], datagrams, streams, frames, time | datagrams, [`Update`]s, [`NodeState`]s |
//! | `conversation`, one for each exchange | a stream, what the core says | a stream, what the core hears |
//!
//! and those of the transport.

mod command;
mod conversation;
mod counters;
mod exchanges;
mod handle;
mod owner;
mod presence;
mod settings;
#[cfg(test)]
mod tests;
mod timers;

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub use self::{
    counters::GossipCounters,
    handle::{Aside, ClaimRefused, GossipHandle, NodeState, Stopped, Update, Visit},
    settings::{GossipSettings, Known, next_epoch},
};
use self::{counters::Tally, owner::Owner};
use super::{
    core::{Gossip, Pace, Settings},
    host,
    seal::{Epoch, PAYLOAD, Seal},
    transport::{ListenError, Sockets, Transport},
};

/// Commands that wait.
const COMMANDS: usize = 256;

/// Updates that wait; more are put together.
const UPDATES: usize = 4;

/// A gossip that listens and will speak once it runs.
pub struct GossipService {
    owner: Owner,
}

impl GossipService {
    /// Listens. Whoever holds the receiver must read it, or claims that are lost are never reported.
    pub async fn bind(
        settings: GossipSettings,
        known: Known,
    ) -> Result<(Self, GossipHandle, mpsc::Receiver<Update>), ListenError> {
        let listen = settings.listen;
        let failed = |source| ListenError {
            address: listen,
            source,
        };
        let sockets = Sockets::bind(listen, settings.limits.receive_buffer).await?;
        let address = sockets.address().map_err(failed)?;
        let mut advertise = settings.advertise;
        if advertise.port() == 0 {
            advertise.set_port(address.port());
        }
        let (core, refused) = Gossip::new(
            Settings {
                node: settings.node,
                address: advertise,
                epoch: settings.epoch,
                seed: u64::from_be_bytes(host::random()),
                pace: Pace {
                    datagram: settings.pace.datagram.min(PAYLOAD),
                    ..settings.pace
                },
            },
            known.claims,
        );
        for error in refused {
            warn!(%error, "a claim is not told to the others");
        }
        let seal = Seal::new(
            &settings.cluster,
            settings.node,
            Epoch::starting(settings.epoch, u128::from_be_bytes(host::random())),
            &known.keys,
        );
        let mut transport_tasks = JoinSet::new();
        let (transport, inbound) = Transport::start(
            sockets,
            address,
            seal,
            settings.limits,
            &mut transport_tasks,
        );
        let tally = Tally::new(transport.traffic().clone());
        let (commands_in, commands) = mpsc::channel(COMMANDS);
        let (updates, updates_out) = mpsc::channel(UPDATES);
        let (states, states_out) = watch::channel(std::collections::BTreeMap::new());
        let owner = Owner {
            core,
            transport,
            inbound,
            transport_tasks,
            members: known.members,
            commands,
            updates,
            states,
            tally: tally.clone(),
            asides: None,
        };
        let handle = GossipHandle {
            commands: commands_in,
            states: states_out,
            tally,
            address,
        };
        Ok((Self { owner }, handle, updates_out))
    }

    /// Gossips until it is cancelled, which tells nobody, until [`GossipHandle::leave`], which tells
    /// everybody, or until every handle is gone.
    pub async fn run(self, cancel: CancellationToken) {
        self.owner.run(cancel).await;
    }
}
