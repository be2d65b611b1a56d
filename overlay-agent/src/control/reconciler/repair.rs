//! Putting right what somebody else changed.

use super::{
    Change, Datapath, Hook, Plumbing, PortError, PortErrorKind, Program, Reconciler, Underlay,
};
use crate::{
    control::{Action, DriftKind, Key, Repair, Survey, order::rank},
    model::Attachment,
};

impl<D: Datapath, U: Underlay, P: Plumbing> Reconciler<D, U, P> {
    /// Looks at everything and repairs what differs; returns how many objects were looked at, and the
    /// repairs. For callers that can wait; others take the survey elsewhere and pass it to
    /// [`Self::repair`].
    pub fn audit<'a>(
        &mut self,
        attachments: impl IntoIterator<Item = &'a Attachment> + Clone,
    ) -> Result<(u64, Vec<Repair>), PortError> {
        let survey = match self.expected() {
            Some(expected) => Survey::take(&self.datapath, &expected)?,
            None => Survey::default(),
        };
        Ok((survey.checked, self.repair(&survey, attachments)?))
    }

    /// Looks at each suspect again and repairs what really differs. What the underlay changed is
    /// followed as well, and what an earlier failure left undone is done; neither is a repair.
    pub fn repair<'a>(
        &mut self,
        survey: &Survey,
        attachments: impl IntoIterator<Item = &'a Attachment> + Clone,
    ) -> Result<Vec<Repair>, PortError> {
        let mut repairs = Vec::new();
        self.repair_tunnel(&mut repairs)?;
        if self.applied.is_some() {
            self.refresh()?;
        } else {
            self.sync(attachments)?;
        }
        self.repair_gateway(&mut repairs)?;
        self.purge(survey, &mut repairs)?;
        self.repair_entries(survey, &mut repairs)?;
        self.repair_hooks(survey, &mut repairs)?;
        Ok(repairs)
    }

    fn repair_tunnel(&mut self, repairs: &mut Vec<Repair>) -> Result<(), PortError> {
        let (ifindex, repaired) = self.plumbing.ensure_tunnel()?;
        repairs.extend(repaired.map(|action| Repair {
            kind: DriftKind::Tunnel,
            object: format!("interface {ifindex}"),
            action,
        }));
        if ifindex == self.tunnel {
            return Ok(());
        }
        self.datapath.retarget(ifindex)?;
        let hook = |ifindex| Hook {
            program: Program::FromTunnel,
            ifindex,
        };
        self.datapath.detach(hook(self.tunnel))?;
        self.hooks.remove(&hook(self.tunnel));
        self.hooks.insert(hook(ifindex));
        self.tunnel = ifindex;
        for hook in self.hooks.clone() {
            self.attach_or_forget(hook)?;
        }
        Ok(())
    }

    fn purge(&mut self, survey: &Survey, repairs: &mut Vec<Repair>) -> Result<(), PortError> {
        for table in &survey.nonsense {
            let count = self.datapath.purge(*table)?;
            if count > 0 {
                repairs.push(Repair {
                    kind: DriftKind::Entry(*table),
                    object: format!("{count} that mean nothing"),
                    action: Action::Removed,
                });
            }
        }
        Ok(())
    }

    fn repair_entries(
        &mut self,
        survey: &Survey,
        repairs: &mut Vec<Repair>,
    ) -> Result<(), PortError> {
        let Some(expected) = &self.applied else {
            return Ok(());
        };
        let mut changes = Vec::new();
        for key in &survey.entries {
            let actual = self.datapath.get(key)?;
            match expected.get(key) {
                wanted if wanted == actual => {}
                Some(row) => changes.push((Change::Put(row), action(actual.is_some()))),
                None => changes.push((Change::Remove(*key), Action::Removed)),
            }
        }
        changes.sort_by_key(|(change, _)| rank(change));
        for (change, action) in changes {
            self.write(&change)?;
            let key = key_of(&change);
            repairs.push(entry_repair(&key, action));
        }
        Ok(())
    }

    fn repair_hooks(
        &mut self,
        survey: &Survey,
        repairs: &mut Vec<Repair>,
    ) -> Result<(), PortError> {
        let tunnel = Hook {
            program: Program::FromTunnel,
            ifindex: self.tunnel,
        };
        for hook in survey.hooks.iter().copied().chain([tunnel]) {
            let is_wanted = self.hooks.contains(&hook);
            if is_wanted && !self.datapath.is_attached(hook)? && self.attach_or_forget(hook)? {
                repairs.push(Repair {
                    kind: DriftKind::Hook(hook.program),
                    object: hook.place(),
                    action: Action::Added,
                });
            }
        }
        Ok(())
    }

    /// Attaches a hook; one whose device is gone is forgotten, and false.
    pub(super) fn attach_or_forget(&mut self, hook: Hook) -> Result<bool, PortError> {
        match self.datapath.attach(hook) {
            Ok(()) => Ok(true),
            Err(error) if error.kind == PortErrorKind::Gone => {
                self.hooks.remove(&hook);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn key_of(change: &Change) -> Key {
    match change {
        Change::Put(row) => row.key(),
        Change::Remove(key) => *key,
    }
}

fn entry_repair(key: &Key, action: Action) -> Repair {
    Repair {
        kind: DriftKind::Entry(key.table()),
        object: key.to_string(),
        action,
    }
}

fn action(was_there: bool) -> Action {
    if was_there {
        Action::Changed
    } else {
        Action::Added
    }
}
