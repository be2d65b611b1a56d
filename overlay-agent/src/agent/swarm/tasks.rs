//! The tasks among this node's endpoints: what the others are told of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    agent::health::Check,
    control::planner::OwnTask,
    model::{Attachment, Availability, ClusterView, NodeId, Place, TaskClaim, TaskState},
};

/// What is known of the tasks here, besides their endpoints.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// What came of their checks, by endpoint.
    checked: BTreeMap<String, TaskState>,
    /// Endpoints that are about to go.
    draining: BTreeSet<String>,
    is_node_draining: bool,
}

impl Tasks {
    /// Endpoints that an earlier agent had: nobody is told that they begin anew.
    pub(super) fn resumed<'a>(endpoints: impl Iterator<Item = &'a String>) -> Self {
        Self {
            checked: endpoints
                .map(|id| (id.clone(), TaskState::Running))
                .collect(),
            ..Self::default()
        }
    }

    /// A check has found something out.
    pub(super) fn checked(&mut self, endpoint: String, state: TaskState) {
        self.checked.insert(endpoint, state);
    }

    /// Endpoints are about to go.
    pub(super) fn drain(&mut self, endpoints: impl IntoIterator<Item = String>) {
        self.draining.extend(endpoints);
    }

    /// An endpoint is gone.
    pub(super) fn forget(&mut self, endpoint: &str) {
        self.checked.remove(endpoint);
        self.draining.remove(endpoint);
    }

    /// Tasks of services without a check run: should they get one, they go on until it says otherwise.
    pub(super) fn trust<'a>(
        &mut self,
        endpoints: impl Iterator<Item = &'a Arc<Attachment>>,
        view: &ClusterView,
    ) {
        let is_unchecked = |endpoint: &&Arc<Attachment>| {
            let service = endpoint.service.and_then(|id| view.services.get(&id));
            service.is_some_and(|service| service.health.is_none())
        };
        for endpoint in endpoints.filter(is_unchecked) {
            self.checked.insert(endpoint.id.clone(), TaskState::Running);
        }
    }

    /// Takes over what the managers say of this node.
    pub(super) fn heed(&mut self, this: NodeId, view: &ClusterView) {
        let member = view.members.get(&this);
        self.is_node_draining =
            member.is_some_and(|member| member.availability == Availability::Drain);
    }

    /// What the others are told of an endpoint; nothing if it is no task.
    pub(super) fn claim(&self, endpoint: &Attachment, view: &ClusterView) -> Option<TaskClaim> {
        let service = endpoint.service?;
        let known = view.services.get(&service);
        let is_checked = known.is_some_and(|service| service.health.is_some());
        let state = if self.is_node_draining || self.draining.contains(&endpoint.id) {
            TaskState::Draining
        } else if is_checked {
            let checked = self.checked.get(&endpoint.id);
            checked.copied().unwrap_or(TaskState::Starting)
        } else {
            TaskState::Running
        };
        Some(TaskClaim { service, state })
    }

    /// All of them, by address.
    pub(super) fn all<'a>(
        &self,
        endpoints: impl Iterator<Item = &'a Arc<Attachment>>,
        view: &ClusterView,
    ) -> BTreeMap<Place, OwnTask> {
        let connected = endpoints.filter(|endpoint| endpoint.conflict.is_none());
        let tasks = connected.filter_map(|endpoint| {
            let claim = self.claim(endpoint, view)?;
            Some((endpoint, OwnTask::of(endpoint, claim.state)?))
        });
        let by_address = tasks.flat_map(|(endpoint, task)| {
            let vni = endpoint.vni;
            let addresses = endpoint.addresses();
            addresses.map(move |address| (Place { vni, address }, task))
        });
        by_address.collect()
    }

    /// The checks that their services ask for, by endpoint.
    pub(super) fn checks<'a>(
        &self,
        endpoints: impl Iterator<Item = &'a Arc<Attachment>>,
        view: &ClusterView,
    ) -> BTreeMap<String, Check> {
        let checks = endpoints.filter_map(|endpoint| {
            let service = view.services.get(&endpoint.service?)?;
            let begins = self.checked.get(&endpoint.id).copied();
            Some((
                endpoint.id.clone(),
                Check {
                    netns: endpoint.netns.clone(),
                    namespace: endpoint.namespace,
                    address: endpoint.addresses().next()?,
                    health: service.health.clone()?,
                    begins: begins.unwrap_or(TaskState::Starting),
                },
            ))
        });
        checks.collect()
    }
}
