//! Numbers of services and backends.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{BackendId, FIRST_LOCAL_NUMBER, ServiceId};

/// Gives numbers away, below those of endpoints that publish ports by themselves.
#[derive(Debug)]
pub(super) struct Numbers {
    next: u32,
    services: BTreeMap<ServiceId, u32>,
    used: BTreeSet<u32>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            next: 1,
            services: BTreeMap::new(),
            used: BTreeSet::new(),
        }
    }
}

impl Numbers {
    /// Goes on behind the last number of an earlier agent, and not below `floor`.
    pub(super) fn start(&mut self, last: u32, floor: u32) {
        self.next = last.saturating_add(1).max(floor);
    }

    /// A number that no backend had before.
    pub(super) fn backend(&mut self) -> BackendId {
        if self.next == 0 || self.next >= FIRST_LOCAL_NUMBER {
            self.next = 1;
        }
        let number = self.next;
        self.next += 1;
        BackendId(number)
    }

    /// The number of a service, which follows from its identifier: the same after a restart, and on
    /// almost every node.
    pub(super) fn of_service(&mut self, id: ServiceId) -> u32 {
        if let Some(number) = self.services.get(&id) {
            return *number;
        }
        let mut number = id.bits() as u32 % FIRST_LOCAL_NUMBER;
        while number == 0 || self.used.contains(&number) {
            number = (number + 1) % FIRST_LOCAL_NUMBER;
        }
        self.used.insert(number);
        self.services.insert(id, number);
        number
    }

    /// The service is gone.
    pub(super) fn forget_service(&mut self, id: ServiceId) {
        if let Some(number) = self.services.remove(&id) {
            self.used.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_one_number_and_no_other_has_it() {
        let mut numbers = Numbers::default();
        let (one, two) = (
            ServiceId::from_random(7),
            ServiceId::from_random(7 | 1 << 64),
        );

        let first = numbers.of_service(one);

        assert_eq!(first, 7);
        assert_eq!(numbers.of_service(two), 8);
        assert_eq!(numbers.of_service(one), first);
        assert_ne!(numbers.of_service(ServiceId::from_random(0)), 0);
    }

    #[test]
    fn backends_go_on_behind_those_of_an_earlier_agent() {
        let mut numbers = Numbers::default();

        numbers.start(41, 1);
        assert_eq!(numbers.backend(), BackendId(42));
        numbers.start(41, 1000);
        assert_eq!(numbers.backend(), BackendId(1000));
        numbers.start(FIRST_LOCAL_NUMBER - 2, 1);
        assert_eq!(numbers.backend(), BackendId(FIRST_LOCAL_NUMBER - 1));
        assert_eq!(numbers.backend(), BackendId(1));
    }
}
