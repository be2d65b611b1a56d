//! Between the follower and the gossip: what is told, in order and without waiting for it, and what is
//! heard.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use tokio::sync::{mpsc, watch};
use tracing::{debug, error, warn};

use super::{Announce, News};
use crate::{
    agent::{names::Names, task_states::TaskStates},
    gossip::{Changes, ClaimError, ClaimRefused, GossipHandle, Update},
    model::{Claim, NodeId, Place, Vni},
};

/// Tells the gossip; nothing waits.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    words: mpsc::UnboundedSender<Word>,
    names: Arc<Names>,
    states: Arc<TaskStates>,
    attended: watch::Sender<BTreeSet<Vni>>,
}

/// What is told.
#[derive(Debug)]
pub(super) enum Word {
    Attend(Vni),
    Leave(Vni),
    Claim(Claim),
    Withdraw(Vni, IpAddr),
    Watch(BTreeSet<NodeId>),
}

impl Teller {
    /// A teller, and what it says. What it says of addresses counts on this node at once.
    pub(super) fn new(
        names: Arc<Names>,
        states: Arc<TaskStates>,
    ) -> (Self, mpsc::UnboundedReceiver<Word>) {
        let (words, said) = mpsc::unbounded_channel();
        let attended = watch::Sender::default();
        let teller = Self {
            words,
            names,
            states,
            attended,
        };
        (teller, said)
    }

    /// The networks that this node has to do with, as they change.
    pub(super) fn attended(&self) -> watch::Receiver<BTreeSet<Vni>> {
        self.attended.subscribe()
    }

    fn say(&self, word: Word) {
        if self.words.send(word).is_err() {
            debug!("the swarm was left meanwhile");
        }
    }
}

impl Announce for Teller {
    fn attend(&self, vni: Vni) {
        self.attended.send_modify(|attended| {
            attended.insert(vni);
        });
        self.say(Word::Attend(vni));
    }

    fn leave(&self, vni: Vni) {
        self.attended.send_modify(|attended| {
            attended.remove(&vni);
        });
        self.say(Word::Leave(vni));
    }

    fn claim(&self, claim: Claim) {
        self.names.claim(&claim);
        self.states.claim(&claim);
        self.say(Word::Claim(claim));
    }

    fn watch(&self, nodes: BTreeSet<NodeId>) {
        self.say(Word::Watch(nodes));
    }

    fn withdraw(&self, vni: Vni, address: IpAddr) {
        self.names.withdraw(vni, address);
        self.states.withdraw(Place { vni, address });
        self.say(Word::Withdraw(vni, address));
    }
}

/// Passes on what is said until nobody says anything any more, or the gossip has ended.
pub(super) async fn tell(
    mut words: mpsc::UnboundedReceiver<Word>,
    gossip: GossipHandle,
    news: mpsc::UnboundedSender<News>,
) {
    while let Some(word) = words.recv().await {
        let told = match word {
            Word::Attend(vni) => gossip.attend(vni).await,
            Word::Watch(nodes) => gossip.watch(nodes).await,
            Word::Leave(vni) => gossip.leave_network(vni).await,
            Word::Withdraw(vni, address) => gossip.withdraw(vni, address).await.map(|_| ()),
            Word::Claim(claim) => {
                let place = Place {
                    vni: claim.vni,
                    address: claim.address,
                };
                match gossip.claim(claim).await {
                    Ok(()) => Ok(()),
                    Err(ClaimRefused::Refused(ClaimError::Taken { winner })) => {
                        if news.send(News::Lost(place, winner)).is_err() {
                            return;
                        }
                        Ok(())
                    }
                    Err(ClaimRefused::Refused(refused)) => {
                        let refused: &dyn std::error::Error = &refused;
                        error!(refused, "an address could not be told to the others");
                        Ok(())
                    }
                    Err(ClaimRefused::Stopped(stopped)) => Err(stopped),
                }
            }
        };
        if told.is_err() {
            return;
        }
    }
}

/// Passes on what is heard until the gossip ends.
pub(super) async fn hear(
    mut updates: mpsc::Receiver<Update>,
    news: mpsc::UnboundedSender<News>,
    down: watch::Sender<BTreeSet<NodeId>>,
    names: Arc<Names>,
) {
    let mut suspected = BTreeSet::new();
    while let Some(update) = updates.recv().await {
        let sent = match update {
            Update::Changed(Changes {
                failed,
                suspects,
                claims,
            }) => {
                let is_suspicion = change(&mut suspected, suspects);
                let is_changed = down.send_if_modified(|down| change(down, failed));
                let claims: Vec<_> = claims
                    .into_iter()
                    .map(|((vni, address), winner)| (Place { vni, address }, winner))
                    .collect();
                names.claims(&claims);
                let present = down.borrow().clone();
                let told = if is_changed {
                    news.send(News::Failed(present))
                } else {
                    Ok(())
                };
                let told = if is_suspicion {
                    told.and_then(|()| news.send(News::Suspects(suspected.clone())))
                } else {
                    told
                };
                told.and_then(|()| news.send(News::Claims(claims)))
            }
            Update::Lost { claim, winner, .. } => {
                warn!(endpoint = claim.name, "lost its address");
                let place = Place {
                    vni: claim.vni,
                    address: claim.address,
                };
                news.send(News::Lost(place, winner))
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Takes over who failed and who answers again; returns whether that made a difference.
fn change(down: &mut BTreeSet<NodeId>, failed: std::collections::BTreeMap<NodeId, bool>) -> bool {
    let mut is_changed = false;
    for (node, has_failed) in failed {
        is_changed |= if has_failed {
            down.insert(node)
        } else {
            down.remove(&node)
        };
    }
    is_changed
}
