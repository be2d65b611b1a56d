//! Who may have how many streams open at once.
//!
//! Strangers share a few places, so a crowd of them leaves the members' places free.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::limits::Limits;

/// The places, and who has them.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Mutex<Taken>>);

/// One place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    origin: Origin,
}

#[derive(Debug)]
struct Taken {
    members: HashSet<IpAddr>,
    by_origin: HashMap<Origin, usize>,
    of_members: usize,
    of_strangers: usize,
    limits: Limits,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
enum Origin {
    Member(IpAddr),
    Stranger(IpAddr),
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Taken {
            members: HashSet::new(),
            by_origin: HashMap::new(),
            of_members: 0,
            of_strangers: 0,
            limits,
        })))
    }

    pub(super) fn set_members(&self, members: impl Iterator<Item = IpAddr>) {
        self.lock().members = members.map(|address| address.to_canonical()).collect();
    }

    /// A place for a stream from there, unless all are taken.
    pub(super) fn take(&self, from: IpAddr) -> Option<Place> {
        let mut taken = self.lock();
        let from = from.to_canonical();
        let origin = if taken.members.contains(&from) {
            Origin::Member(from)
        } else {
            Origin::Stranger(site(from))
        };
        let limits = taken.limits;
        let held = taken.by_origin.get(&origin).copied().unwrap_or(0);
        let (all, limit) = match origin {
            Origin::Member(_) => (&mut taken.of_members, limits.streams),
            Origin::Stranger(_) => (&mut taken.of_strangers, limits.strangers),
        };
        if held >= limits.per_address || *all >= limit {
            return None;
        }
        *all += 1;
        taken.by_origin.insert(origin, held + 1);
        Some(Place {
            places: self.clone(),
            origin,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match self.origin {
            Origin::Member(_) => taken.of_members -= 1,
            Origin::Stranger(_) => taken.of_strangers -= 1,
        }
        if let Some(held) = taken.by_origin.get_mut(&self.origin) {
            *held -= 1;
            if *held == 0 {
                taken.by_origin.remove(&self.origin);
            }
        }
    }
}

/// A host can use every address of its IPv6 prefix.
fn site(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: fn() -> Limits = || Limits {
        streams: 4,
        strangers: 3,
        per_address: 2,
        ..Limits::default()
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_share_and_gives_it_back() {
        let places = Places::new(LIMITS());
        let first = places.take(ip("192.0.2.1")).unwrap();
        let second = places.take(ip("::ffff:192.0.2.1")).unwrap();

        assert!(places.take(ip("192.0.2.1")).is_none());
        drop(first);
        assert!(places.take(ip("192.0.2.1")).is_some());
        drop(second);
        assert!(places.lock().by_origin.is_empty());
        assert_eq!(places.lock().of_strangers, 0);
    }

    #[test]
    fn strangers_leave_the_places_of_members_free() {
        let places = Places::new(LIMITS());
        places.set_members([ip("192.0.2.9"), ip("2001:db8::9")].into_iter());
        let taken: Vec<Place> = (1..=5)
            .filter_map(|host| places.take(ip(&format!("192.0.2.{host}"))))
            .collect();

        assert_eq!(taken.len(), 3);
        assert!(places.take(ip("192.0.2.9")).is_some());
        assert!(places.take(ip("2001:db8::9")).is_some());
    }

    #[test]
    fn a_stranger_gains_nothing_by_the_many_addresses_of_its_prefix() {
        let places = Places::new(LIMITS());
        let taken: Vec<Place> = (1..=5)
            .filter_map(|host| places.take(ip(&format!("2001:db8::{host}"))))
            .collect();

        assert_eq!(taken.len(), 2);
    }
}
