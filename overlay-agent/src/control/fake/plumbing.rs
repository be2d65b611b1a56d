//! The vxlan device, as a number, and the host's ports.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use crate::{
    control::{Action, HostEnd, InterfaceWish, MadeInterface, Plumbing, PortError, PortErrorKind},
    model::PortKey,
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
}
