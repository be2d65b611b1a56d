//! What this node has told the others of its own tasks. Written by who tells, read by who lists tasks.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use crate::model::{Attachment, Claim, Place, TaskClaim, TaskState};

/// By address.
#[derive(Debug, Default)]
pub(super) struct TaskStates {
    told: RwLock<BTreeMap<Place, TaskState>>,
}

impl TaskStates {
    /// This is said of an address.
    pub(super) fn claim(&self, claim: &Claim) {
        let place = Place {
            vni: claim.vni,
            address: claim.address,
        };
        self.set(place, claim.task.map(|task| task.state));
    }

    /// An address is free.
    pub(super) fn withdraw(&self, place: Place) {
        self.set(place, None);
    }

    fn set(&self, place: Place, state: Option<TaskState>) {
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        match state {
            Some(state) => told.insert(place, state),
            None => told.remove(&place),
        };
    }

    /// An endpoint's part in its service, by one of its addresses; nothing if it is no task. Nobody knows yet of
    /// one that has just come, and nobody sends anything to one that has lost its address.
    pub(super) fn of(&self, endpoint: &Attachment, place: Place) -> Option<TaskClaim> {
        let service = endpoint.service?;
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        let state = if endpoint.conflict.is_some() {
            TaskState::Unhealthy
        } else {
            told.get(&place).copied().unwrap_or(TaskState::Starting)
        };
        Some(TaskClaim { service, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::testing::{attachment, blue},
        model::ServiceId,
    };

    #[test]
    fn a_task_is_what_the_others_were_told_last() {
        let service = ServiceId::from_random(1);
        let task = Attachment {
            service: Some(service),
            ..attachment(1)
        };
        let place = Place {
            vni: blue(),
            address: task.addresses().next().unwrap(),
        };
        let claim = |state| Claim {
            vni: blue(),
            address: place.address,
            name: task.name.clone(),
            endpoint: task.id.clone(),
            mac: None,
            aliases: Vec::new(),
            task: Some(TaskClaim { service, state }),
            index: 0,
        };
        let states = TaskStates::default();
        let seen =
            |states: &TaskStates, task: &Attachment| states.of(task, place).map(|task| task.state);

        assert_eq!(seen(&states, &attachment(1)), None);
        assert_eq!(seen(&states, &task), Some(TaskState::Starting));
        states.claim(&claim(TaskState::Running));
        states.claim(&claim(TaskState::Draining));
        assert_eq!(seen(&states, &task), Some(TaskState::Draining));
        let lost = Attachment {
            conflict: Some("lost".to_owned()),
            ..task.clone()
        };
        assert_eq!(seen(&states, &lost), Some(TaskState::Unhealthy));
        states.withdraw(place);
        assert_eq!(seen(&states, &task), Some(TaskState::Starting));
    }
}
