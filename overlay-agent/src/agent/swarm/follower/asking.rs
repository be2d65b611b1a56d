//! Addresses: who may have one, and asking the managers for more or giving them back.

use std::{mem, sync::Arc, time::Instant};

use tokio::sync::oneshot;
use tracing::{debug, trace};

use super::{
    super::{Leases, idle::Use},
    Answer, Follower, Outcome,
};
use crate::{
    agent::addresses::Need,
    api::{ApiError, refusals},
    model::{Availability, Lease, Place, ServiceId, Vni},
};

impl<L: Leases> Follower<L> {
    pub(super) fn admit(
        &mut self,
        name: &str,
        service: Option<ServiceId>,
        answer: oneshot::Sender<Result<Vni, ApiError>>,
    ) {
        let admitted = self.check(name, service);
        if let Ok(vni) = admitted {
            *self.arriving.entry(vni).or_default() += 1;
        }
        self.answer(answer, admitted);
    }

    pub(super) fn check(&self, name: &str, service: Option<ServiceId>) -> Result<Vni, ApiError> {
        let Some(member) = self.cluster.member() else {
            return Err(
                ApiError::conflict("this node was removed from the swarm by a manager")
                    .with_help("`overlay swarm leave`, then join again"),
            );
        };
        match member.availability {
            Availability::Active => {}
            Availability::Pause | Availability::Drain => {
                return Err(refusals::not_active(member.availability));
            }
        }
        let Some(network) = self.cluster.network(name) else {
            return Err(refusals::no_network(name));
        };
        let vni = network.network.vni;
        let Some(service) = service else {
            return if network.attachable {
                Ok(vni)
            } else {
                Err(refusals::not_attachable(name))
            };
        };
        match self.cluster.view().services.get(&service) {
            Some(service) if service.networks.contains_key(&vni) => Ok(vni),
            Some(service) => Err(refusals::not_on_network(&service.name, name)),
            None => Err(refusals::no_service(&service.to_string())),
        }
    }

    pub(super) fn lease(&mut self, vni: Vni, need: Need, answer: Answer) {
        if let Need::Exact(address) = need {
            let place = Place { vni, address };
            if let Err(error) = self.check_free(place) {
                self.answer(answer, Err(error));
                return;
            }
            if self.cluster.own_lease(place).is_some() {
                self.answer(answer, Ok(()));
                return;
            }
        }
        // Endpoints that come together share what the first one asked for.
        let is_asked = self
            .waiting
            .iter()
            .any(|(other, what, _)| (*other, *what) == (vni, need));
        self.waiting.push((vni, need, answer));
        if is_asked {
            return;
        }
        let leases = Arc::clone(&self.leases);
        self.asking.spawn(async move {
            let given = match need {
                Need::Any { is_ipv4 } => leases.lease(vni, is_ipv4).await,
                Need::Exact(address) => leases.lease_exact(vni, address).await,
            };
            Outcome::Leased(vni, need, given)
        });
    }

    pub(super) fn check_free(&self, place: Place) -> Result<(), ApiError> {
        let Some((node, claim)) = self.cluster.claimant(place) else {
            return Ok(());
        };
        Err(ApiError::conflict(format!(
            "{} is taken by endpoint {} of node {}",
            place.address,
            claim.name,
            self.cluster.name_of(node)
        ))
        .with_help("choose another address, or detach that endpoint first"))
    }

    pub(super) fn asked(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Leased(vni, need, leased) => {
                if let Ok(lease) = &leased {
                    debug!(network = %vni, block = %lease.block, "leased");
                    self.cluster.learn(*lease);
                    self.step.is_new_plan = true;
                }
                let told = leased.map(|_| ());
                let all = mem::take(&mut self.waiting);
                for (other, what, answer) in all {
                    if (other, what) == (vni, need) {
                        self.answer(answer, told.clone());
                    } else {
                        self.waiting.push((other, what, answer));
                    }
                }
            }
            Outcome::GivenBack(lease, Ok(())) => {
                debug!(network = %lease.vni, block = %lease.block, "gave a lease back");
            }
            Outcome::GivenBack(lease, Err(error)) => {
                debug!(%error, block = %lease.block, "could not give a lease back; later again");
                self.cluster.restore(&lease);
                self.step.is_new_plan = true;
            }
        }
    }

    pub(super) fn answer<T: Send + 'static>(&mut self, answer: oneshot::Sender<T>, told: T) {
        self.step.answers.push(Box::new(move || {
            if answer.send(told).is_err() {
                trace!("nobody waited for the answer");
            }
        }));
    }

    /// Gives back what has been of no use for long. The owner hears first that it may not use it.
    pub(super) fn tidy(&mut self, now: Instant) {
        let uses: Vec<Use> = self
            .cluster
            .own_leases()
            .map(|lease| Use {
                lease,
                is_used: self.is_used(&lease),
                is_present: self.cluster.has(lease.vni),
            })
            .collect();
        for lease in self.idle.due(now, &uses) {
            self.cluster.retire(lease);
            self.step.is_new_plan = true;
            let (in_use, leases) = (Arc::clone(&self.in_use), Arc::clone(&self.leases));
            let (go, gone) = oneshot::channel::<()>();
            self.answer(go, ());
            self.asking.spawn(async move {
                let is_followed = gone.await.is_ok();
                if !is_followed || in_use(&lease) {
                    let error = ApiError::conflict("an endpoint came meanwhile");
                    return Outcome::GivenBack(lease, Err(error));
                }
                let given_back = leases.give_back(lease).await;
                Outcome::GivenBack(lease, given_back)
            });
        }
    }

    pub(super) fn is_used(&self, lease: &Lease) -> bool {
        self.arriving
            .get(&lease.vni)
            .is_some_and(|count| *count > 0)
            || (self.in_use)(lease)
    }
}
