//! The one thread that changes anything: tables, hooks, devices, files. Everybody else sends it
//! commands.
//!
//! Input: commands, until every sender is gone. Output: the answers to them, and [`Shared`].

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info, trace, warn};

use super::{
    addresses::NoAddress, plumbing::KernelPlumbing, shared::Shared, store::Store, swarm::News,
    underlay::KernelUnderlay,
};
use crate::{
    api::{ApiError, types::AttachRequest},
    control::{
        Action, BackendEnd, DriftKind, Expected, Plumbing as _, PortError, PortErrorKind,
        Reconciler, Repair, Survey, Table, planner::Plan,
    },
    datapath::KernelDatapath,
    model::{Attachment, Exact, Place, ServiceChange, ServiceId},
};

/// The reconciler over the kernel.
pub(super) type KernelReconciler = Reconciler<KernelDatapath, KernelUnderlay, KernelPlumbing>;

/// What the owner is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Make an endpoint.
    Attach(
        AttachRequest,
        Option<Membership>,
        Answer<Result<Arc<Attachment>, NoAddress>>,
    ),
    /// Take endpoints away: by name or identifier, in one network or in all.
    Detach(
        String,
        Option<String>,
        Answer<Result<Vec<Arc<Attachment>>, ApiError>>,
    ),
    /// Want something else, and make it so. What fails now, the next audit does.
    Follow(Plan, Answer<()>),
    /// Balance these services otherwise, or not any more.
    Balance(Vec<ServiceChange>),
    /// The other nodes have told what they have: what an earlier agent knew counts no longer.
    Disbelieve,
    /// Follow single addresses that moved.
    Reroute(Vec<(Place, Option<Exact>)>),
    /// Cut the endpoint with this address off, for a reason.
    Isolate(Place, String, Answer<Option<Arc<Attachment>>>),
    /// Tell what the kernel should hold.
    Expect(Answer<Option<Expected>>),
    /// Repair what a survey found suspect.
    Repair(Survey, Answer<Result<Vec<Repair>, PortError>>),
    /// A device may be gone.
    LinkGone(u32),
    /// Any device may be gone.
    Sweep,
    /// The underlay may have changed.
    Refresh,
}

/// What an endpoint is in a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    /// The service.
    pub(super) service: ServiceId,
    /// Whether its container goes into every network that the service is on.
    pub(super) follows: bool,
}

/// Where an answer goes; nobody may be waiting for it any more.
pub(super) type Answer<T> = oneshot::Sender<T>;

/// Everything that is written to.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) reconciler: KernelReconciler,
    pub(super) store: Store,
    pub(super) shared: Arc<Shared>,
    /// Ends flows to backends that are no more.
    pub(super) backend_end: Box<dyn BackendEnd>,
    /// Hears which endpoints come and go.
    pub(super) changes: mpsc::UnboundedSender<News>,
}

impl Owner {
    /// Does what is asked until nobody can ask any more. Everything stays in place then.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.blocking_recv() {
            let started = Instant::now();
            self.obey(command);
            debug!(took = ?started.elapsed(), "a command was done");
        }
    }

    fn obey(&mut self, command: Command) {
        let is_awaited = match command {
            Command::Attach(request, membership, answer) => {
                answer.send(self.attach(&request, membership)).is_ok()
            }
            Command::Detach(reference, network, answer) => answer
                .send(self.detach(&reference, network.as_deref()))
                .is_ok(),
            Command::Follow(plan, answer) => {
                self.follow(plan);
                answer.send(()).is_ok()
            }
            Command::Balance(changes) => {
                let balanced = self.reconciler.balance(&changes);
                self.balanced(balanced);
                true
            }
            Command::Disbelieve => {
                let balanced = self.reconciler.disbelieve();
                self.balanced(balanced);
                true
            }
            Command::Reroute(moved) => {
                self.reroute(&moved);
                true
            }
            Command::Isolate(place, reason, answer) => {
                answer.send(self.isolate(place, reason)).is_ok()
            }
            Command::Expect(answer) => answer.send(self.reconciler.expected()).is_ok(),
            Command::Repair(survey, answer) => answer.send(self.repair(&survey)).is_ok(),
            Command::LinkGone(ifindex) => {
                self.link_gone(ifindex);
                true
            }
            Command::Sweep => {
                self.sweep();
                true
            }
            Command::Refresh => {
                self.refresh();
                true
            }
        };
        if !is_awaited {
            debug!("nobody waited for the answer");
        }
    }

    /// Passes on that an endpoint came or went; without a swarm nobody wants to know.
    pub(super) fn tell(&self, change: News) {
        if self.changes.send(change).is_err() {
            trace!("nobody follows the endpoints");
        }
    }

    fn follow(&mut self, plan: Plan) {
        let desired = Arc::new(plan.desired);
        self.shared.set_desired(Arc::clone(&desired));
        let directory = self.shared.directory();
        let followed = self
            .reconciler
            .follow(desired, plan.exact, directory.iter());
        drop(directory);
        match followed {
            Ok(changes) => debug!(changes, "followed the cluster"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                error!(
                    error,
                    "could not follow the cluster; the next audit tries again"
                );
            }
        }
        self.publish();
    }

    fn balanced(&mut self, written: Result<usize, PortError>) {
        match written {
            Ok(changes) => trace!(changes, "followed services"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                error!(
                    error,
                    "could not follow services; the next audit tries again"
                );
            }
        }
        self.end_flows();
        if let Some(tables) = self.reconciler.tables() {
            let mut summary = self.shared.summary_mut();
            for table in [Table::Backend, Table::Ring, Table::Port, Table::Vip] {
                summary.entries.insert(table, tables.len(table));
            }
        }
    }

    /// Tells what else has to be done about backends that are gone from the tables.
    pub(super) fn end_flows(&mut self) {
        let ended = self.reconciler.take_ended();
        if !ended.is_empty() {
            self.backend_end.ended(&ended);
        }
    }

    fn reroute(&mut self, moved: &[(Place, Option<Exact>)]) {
        match self.reconciler.reroute(moved) {
            Ok(changes) => trace!(changes, "followed single addresses"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                error!(
                    error,
                    "could not follow addresses of other nodes; the next audit tries again"
                );
            }
        }
        let tables = self.reconciler.tables();
        let routes = tables.map_or(0, |tables| tables.len(Table::Route));
        self.shared
            .summary_mut()
            .entries
            .insert(Table::Route, routes);
    }

    /// Cuts an endpoint off and keeps the reason; none if there is no such endpoint.
    fn isolate(&mut self, place: Place, reason: String) -> Option<Arc<Attachment>> {
        let present = self.shared.directory().at(place).cloned()?;
        let attachment = Arc::new(Attachment {
            conflict: Some(reason),
            ..(*present).clone()
        });
        if let Err(error) = self.reconciler.isolate(&attachment) {
            let error: &dyn std::error::Error = &error;
            warn!(
                error,
                endpoint = attachment.name,
                "not cut off wholly; the next audit does it"
            );
        }
        if let Err(error) = self.store.save(&attachment) {
            let error: &dyn std::error::Error = &error;
            warn!(
                error,
                endpoint = attachment.name,
                "that it is cut off could not be kept"
            );
        }
        self.shared.directory_mut().insert(Arc::clone(&attachment));
        Some(attachment)
    }

    /// Tells the others what the tables hold now.
    pub(super) fn publish(&self) {
        let mut summary = self.shared.summary_mut();
        summary.tunnel = self.reconciler.tunnel();
        summary.inner_mtu = self.reconciler.inner_mtu(false);
        summary.encrypted_mtu = self.reconciler.inner_mtu(true);
        summary.gateway_trouble = self.reconciler.gateway_trouble().map(str::to_owned);
        if let Some(tables) = self.reconciler.tables() {
            summary.follow(tables, self.reconciler.ways(), self.shared.settings.encap);
        }
    }

    fn repair(&mut self, survey: &Survey) -> Result<Vec<Repair>, PortError> {
        let mut repairs = self.forget_gone()?;
        repairs.extend(self.raise_fallen()?);
        let directory = self.shared.directory();
        let repaired = self.reconciler.repair(survey, directory.iter());
        drop(directory);
        self.end_flows();
        self.publish();
        repairs.extend(repaired?);
        self.count(&repairs);
        for repair in &repairs {
            warn!(kind = ?repair.kind, object = repair.object, action = ?repair.action, "repaired");
        }
        Ok(repairs)
    }

    fn count(&self, repairs: &[Repair]) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let audit = &mut self.shared.summary_mut().audit;
        audit.runs += 1;
        audit.last_unix_s = Some(now.as_secs());
        audit.last_repaired = repairs.len() as u64;
        audit.repaired_total += repairs.len() as u64;
    }

    /// Takes away every endpoint whose interface is gone.
    fn forget_gone(&mut self) -> Result<Vec<Repair>, PortError> {
        let ends = self.reconciler.plumbing().host_ends()?;
        let mut gone = self.shared.directory().host_ends();
        for end in ends {
            gone.remove(&end.ifindex);
        }
        let mut repairs = Vec::new();
        for ifindex in gone {
            let Some(attachment) = self.shared.directory().behind(ifindex).cloned() else {
                continue;
            };
            self.forget(&attachment);
            repairs.push(Repair {
                kind: DriftKind::Endpoint,
                object: format!("{} in {}", attachment.name, attachment.network),
                action: Action::Removed,
            });
        }
        Ok(repairs)
    }

    /// Switches host ends on that somebody switched off.
    fn raise_fallen(&mut self) -> Result<Vec<Repair>, PortError> {
        let ends = self.reconciler.plumbing().host_ends()?;
        let mut repairs = Vec::new();
        for end in ends.iter().filter(|end| !end.is_up) {
            let Some(attachment) = self.shared.directory().behind(end.ifindex).cloned() else {
                continue;
            };
            match self.reconciler.plumbing().raise(end) {
                Ok(()) => repairs.push(Repair {
                    kind: DriftKind::Endpoint,
                    object: format!("{} in {}", attachment.name, attachment.network),
                    action: Action::Changed,
                }),
                Err(error) if error.kind == PortErrorKind::Gone => {}
                Err(error) => return Err(error),
            }
        }
        Ok(repairs)
    }

    fn link_gone(&mut self, ifindex: u32) {
        if ifindex == self.reconciler.tunnel() {
            // The audit restores and counts it.
            return;
        }
        let Some(attachment) = self.shared.directory().behind(ifindex).cloned() else {
            return;
        };
        let end = self.reconciler.plumbing().host_end(ifindex);
        let is_there = end.map_or(true, |end| {
            end.is_some_and(|end| end.name == attachment.host_interface)
        });
        if !is_there {
            info!(
                endpoint = attachment.name,
                network = attachment.network,
                "its namespace is gone"
            );
            self.forget(&attachment);
        }
    }

    /// Forgets an endpoint whose interface is gone. What fails now, the next audit does.
    fn forget(&mut self, attachment: &Attachment) {
        if let Err(error) = self.disconnect(attachment) {
            let error: &dyn std::error::Error = &error;
            error!(
                error,
                endpoint = attachment.name,
                "could not take all of it away"
            );
        }
    }

    fn sweep(&mut self) {
        if let Err(error) = self.forget_gone() {
            let error: &dyn std::error::Error = &error;
            error!(
                error,
                "could not look for endpoints that are gone; the next audit tries again"
            );
        }
    }

    fn refresh(&mut self) {
        match self.reconciler.refresh() {
            Ok(0) => {}
            Ok(changes) => info!(changes, "followed a change of the underlay"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                error!(
                    error,
                    "could not follow a change of the underlay; the next audit tries again"
                );
            }
        }
        self.publish();
    }
}
