//! The vxlan device, as a number, and the host's ports.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use crate::{
    control::{
        Action, DriftKind, Gateway, HostEnd, InterfaceWish, MadeInterface, Plumbing, PortError,
        PortErrorKind, Repair,
    },
    model::{MacAddress, PortKey},
};

/// The index that the device has now, shared with the test; 0 while it is gone.
#[derive(Clone, Debug)]
pub(in crate::control) struct FakePlumbing {
    pub(in crate::control) tunnel: Rc<Cell<u32>>,
    pub(in crate::control) next_ifindex: u32,
    /// Ports that are kept.
    pub(in crate::control) held: Rc<RefCell<BTreeSet<PortKey>>>,
    /// Ports that somebody else has.
    pub(in crate::control) taken: Rc<RefCell<BTreeSet<PortKey>>>,
    /// The near end of the gateway, shared with the test; 0 while it is gone.
    pub(in crate::control) gateway: Rc<Cell<u32>>,
}

impl Plumbing for FakePlumbing {
    fn make(&mut self, _wish: &InterfaceWish) -> Result<MadeInterface, PortError> {
        unreachable!("the reconciler makes no interfaces")
    }

    fn remove(&mut self, _host_interface: &str, _host_ifindex: u32) -> Result<(), PortError> {
        unreachable!("the reconciler removes no interfaces")
    }

    fn host_end(&mut self, _ifindex: u32) -> Result<Option<HostEnd>, PortError> {
        unreachable!("the reconciler asks for no interfaces")
    }

    fn host_ends(&mut self) -> Result<Vec<HostEnd>, PortError> {
        unreachable!("the reconciler asks for no interfaces")
    }

    fn raise(&mut self, _end: &HostEnd) -> Result<(), PortError> {
        unreachable!("the reconciler raises no interfaces")
    }

    fn hold_port(&mut self, key: &PortKey) -> Result<(), PortError> {
        if self.taken.borrow().contains(key) {
            let kind = PortErrorKind::Taken;
            return Err(PortError::new("publish", key, kind, "taken"));
        }
        self.held.borrow_mut().insert(*key);
        Ok(())
    }

    fn release_port(&mut self, key: &PortKey) {
        self.held.borrow_mut().remove(key);
    }

    fn ensure_tunnel(&mut self) -> Result<(u32, Option<Action>), PortError> {
        let was_gone = self.tunnel.get() == 0;
        if was_gone {
            self.next_ifindex += 1;
            self.tunnel.set(self.next_ifindex);
        }
        Ok((self.tunnel.get(), was_gone.then_some(Action::Added)))
    }

    fn ensure_gateway(&mut self, _mtu: u32) -> Result<(Option<Gateway>, Vec<Repair>), PortError> {
        let mut repairs = Vec::new();
        if self.gateway.get() == 0 {
            self.next_ifindex += 2;
            self.gateway.set(self.next_ifindex);
            repairs.push(Repair {
                kind: DriftKind::Gateway,
                object: "the gateway".to_owned(),
                action: Action::Added,
            });
        }
        let near = self.gateway.get();
        let gateway = Gateway {
            near,
            far: near + 1,
            mac: MacAddress([2, 0, 0, 0, 0, 9]),
        };
        Ok((Some(gateway), repairs))
    }
}
