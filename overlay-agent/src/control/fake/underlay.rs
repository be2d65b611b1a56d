//! The host's network, as a table.

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, rc::Rc};

use crate::{
    control::{PortError, Underlay, UnderlayDevice},
    model::Way,
};

/// Ways by destination, shared with the test.
#[derive(Clone, Debug, Default)]
pub(in crate::control) struct FakeUnderlay {
    pub(in crate::control) ways: Rc<RefCell<BTreeMap<IpAddr, Way>>>,
    pub(in crate::control) own_device: Option<UnderlayDevice>,
    pub(in crate::control) own_addresses: Rc<RefCell<BTreeMap<IpAddr, u32>>>,
}

impl Underlay for FakeUnderlay {
    fn ways(
        &mut self,
        _source: IpAddr,
        destinations: &mut dyn Iterator<Item = IpAddr>,
    ) -> Result<BTreeMap<IpAddr, Way>, PortError> {
        let ways = self.ways.borrow();
        let way = |address| Some((address, *ways.get(&address)?));
        Ok(destinations.filter_map(way).collect())
    }

    fn own_addresses(&mut self) -> Result<BTreeMap<IpAddr, u32>, PortError> {
        Ok(self.own_addresses.borrow().clone())
    }

    fn device_of(&mut self, _address: IpAddr) -> Result<Option<UnderlayDevice>, PortError> {
        Ok(self.own_device)
    }
}
