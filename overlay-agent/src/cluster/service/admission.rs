//! How many connections there may be. Nodes and strangers do not take each other's places.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Limits;

/// Gives places away.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    nodes: usize,
    strangers: usize,
    by_source: BTreeMap<IpAddr, usize>,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    owner: Owner,
}

#[derive(Debug)]
enum Owner {
    Node,
    Stranger(IpAddr),
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            taken: Mutex::default(),
        })
    }

    /// A place for somebody unknown from this address.
    pub(super) fn stranger(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let source = source(address);
        let mut taken = self.taken();
        let of_source = taken.by_source.get(&source).copied().unwrap_or(0);
        if taken.strangers >= self.limits.strangers || of_source >= self.limits.strangers_per_source
        {
            return None;
        }
        taken.strangers += 1;
        taken.by_source.insert(source, of_source + 1);
        drop(taken);
        Some(Place {
            admission: Arc::clone(self),
            owner: Owner::Stranger(source),
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// A stranger has turned out to be a node.
    pub(super) fn for_node(self) -> Option<Self> {
        let admission = Arc::clone(&self.admission);
        drop(self);
        let mut taken = admission.taken();
        if taken.nodes >= admission.limits.nodes {
            return None;
        }
        taken.nodes += 1;
        drop(taken);
        Some(Self {
            admission,
            owner: Owner::Node,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.admission.taken();
        match self.owner {
            Owner::Node => taken.nodes -= 1,
            Owner::Stranger(source) => {
                taken.strangers -= 1;
                if let Some(number) = taken.by_source.get_mut(&source) {
                    *number -= 1;
                    if *number == 0 {
                        taken.by_source.remove(&source);
                    }
                }
            }
        }
    }
}

/// One host may have a whole /64.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission() -> Arc<Admission> {
        Admission::new(Limits {
            nodes: 1,
            strangers: 3,
            strangers_per_source: 2,
            ..Limits::default()
        })
    }

    #[test]
    fn no_source_takes_all_places() {
        let admission = admission();
        let a: IpAddr = "fd00::1".parse().unwrap();
        let same_host: IpAddr = "fd00::2".parse().unwrap();
        let b: IpAddr = "10.0.0.1".parse().unwrap();
        let first = admission.stranger(a);
        let second = admission.stranger(same_host);

        assert!(first.is_some() && second.is_some());
        assert!(admission.stranger(a).is_none());
        let third = admission.stranger(b);
        assert!(third.is_some());
        assert!(admission.stranger(b).is_none());

        drop(second);
        assert!(admission.stranger(same_host).is_some());
        drop((first, third));
        assert!(admission.taken().by_source.is_empty());
    }

    #[test]
    fn nodes_have_places_of_their_own() {
        let admission = admission();
        let place = || admission.stranger("10.0.0.1".parse().unwrap()).unwrap();

        let node = place().for_node();
        assert!(node.is_some());
        assert!(place().for_node().is_none());
        drop(node);

        assert!(place().for_node().is_some());
        let taken = admission.taken();
        assert_eq!((taken.nodes, taken.strangers), (0, 0));
    }
}
