//! A small cluster's certificates, for tests.

use std::{sync::Arc, time::Duration};

use super::{Authority, Clock, Credentials, LIFETIME, SecretKey, TrustBundle, tls::Tls};
use crate::model::{ClusterId, NodeId, Role};

/// 2026-11-22.
pub(crate) const NOW: u64 = 1_795_305_600;

pub(crate) const DAY: u64 = 86_400;

/// An authority and the nodes it has made.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) bundle: TrustBundle,
    nodes: u128,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_cluster(1)
    }

    pub(crate) fn with_cluster(id: u128) -> Self {
        let authority = Authority::create(ClusterId::from_random(id), NOW).unwrap();
        Self {
            bundle: authority.bundle(),
            authority,
            nodes: 0,
        }
    }

    /// A new node.
    pub(crate) fn node(&mut self, role: Role) -> Credentials {
        self.node_since(role, NOW, LIFETIME)
    }

    /// A new node with a certificate from another time.
    pub(crate) fn node_since(&mut self, role: Role, now: u64, lifetime: Duration) -> Credentials {
        self.nodes += 1;
        let node = NodeId::from_random(self.nodes);
        let key = SecretKey::generate().unwrap();
        let request = key.request().unwrap();
        let issued = self.authority.issue(&request, node, role, now, lifetime);
        Credentials::new(key, &issued.unwrap(), self.bundle.clone()).unwrap()
    }

    /// A new root; from now on it signs.
    pub(crate) fn rotate(&mut self) {
        let rotation = self.authority.rotate(&self.bundle, NOW).unwrap();
        self.authority = rotation.authority;
        self.bundle = rotation.bundle;
    }

    /// The old roots are forgotten.
    pub(crate) fn end_rotation(&mut self) {
        self.bundle = self.bundle.only(self.authority.digest()).unwrap();
    }
}

/// A clock that stands at [`NOW`].
pub(crate) fn clock() -> Clock {
    Clock::new(|| NOW)
}

pub(crate) fn tls(credentials: Credentials) -> Arc<Tls> {
    Arc::new(Tls::new(credentials, clock()).unwrap())
}
