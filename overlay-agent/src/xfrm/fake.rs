//! A kernel in memory that remembers every key it ever had.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use nix::libc;

use super::{Error, Kernel, Policy, PolicyKey, Protection, StateId, StateRow, StateWish};

#[derive(Debug, Default)]
pub(crate) struct FakeKernel {
    pub(crate) states: BTreeMap<StateId, StateRow>,
    pub(crate) policies: BTreeMap<PolicyKey, Protection>,
    /// Keys that states were made with, by whether they seal.
    pub(crate) used: BTreeSet<(bool, Vec<u8>)>,
    /// Keys that states were made with more than once.
    pub(crate) reused: u32,
}

impl Kernel for FakeKernel {
    fn states(&mut self) -> Result<BTreeMap<StateId, StateRow>, Error> {
        Ok(self.states.clone())
    }

    fn policies(&mut self) -> Result<BTreeMap<PolicyKey, Protection>, Error> {
        Ok(self.policies.clone())
    }

    fn add(&mut self, wish: &StateWish) -> Result<(), Error> {
        if self.states.contains_key(&wish.id) {
            return Err(Error::Refused {
                operation: "add a state".to_owned(),
                remark: None,
                source: io::Error::from_raw_os_error(libc::EEXIST),
            });
        }
        let key = (wish.mark.is_none(), wish.material.key.to_vec());
        self.reused += u32::from(!self.used.insert(key));
        let row = StateRow {
            source: wish.source,
            mark: wish.mark,
        };
        self.states.insert(wish.id, row);
        Ok(())
    }

    fn mark(&mut self, wish: &StateWish) -> Result<(), Error> {
        let row = self.states.get_mut(&wish.id);
        row.expect("only what is there is marked").mark = wish.mark;
        Ok(())
    }

    fn remove(&mut self, id: StateId) -> Result<(), Error> {
        self.states.remove(&id);
        Ok(())
    }

    fn set_policy(&mut self, (key, protection): Policy) -> Result<(), Error> {
        self.policies.insert(key, protection);
        Ok(())
    }

    fn remove_policy(&mut self, key: PolicyKey) -> Result<(), Error> {
        self.policies.remove(&key);
        Ok(())
    }
}
