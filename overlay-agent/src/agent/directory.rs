//! The endpoints of this node, found by whatever somebody knows of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use crate::model::{Attachment, Lease, NamespaceId, Place, TransitPools, Vni};

/// Endpoints by identifier, and identifiers by everything else. What the indexes say always agrees.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    endpoints: BTreeMap<String, Arc<Attachment>>,
    names: BTreeMap<(String, String), String>,
    interfaces: BTreeMap<u32, String>,
    places: BTreeMap<Place, String>,
    namespaces: BTreeMap<(NamespaceId, Vni), String>,
    transits: BTreeMap<u32, String>,
}

/// More than one endpoint has an identifier that begins like this.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Ambiguous;

impl Directory {
    /// Adds an endpoint, in the place of one with the same identifier.
    pub(super) fn insert(&mut self, attachment: impl Into<Arc<Attachment>>) {
        let attachment = attachment.into();
        self.remove(&attachment.id);
        let id = attachment.id.clone();
        let name = (attachment.network.clone(), attachment.name.clone());
        self.names.insert(name, id.clone());
        self.interfaces.insert(attachment.host_ifindex, id.clone());
        for address in attachment.addresses() {
            let vni = attachment.vni;
            self.places.insert(Place { vni, address }, id.clone());
        }
        self.namespaces
            .insert((attachment.namespace, attachment.vni), id.clone());
        if let Some(position) = attachment.transit {
            self.transits.insert(position, id.clone());
        }
        self.endpoints.insert(id, attachment);
    }

    /// Takes an endpoint out.
    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<Attachment>> {
        let attachment = self.endpoints.remove(id)?;
        self.names
            .remove(&(attachment.network.clone(), attachment.name.clone()));
        self.interfaces.remove(&attachment.host_ifindex);
        for address in attachment.addresses() {
            let vni = attachment.vni;
            self.places.remove(&Place { vni, address });
        }
        self.namespaces
            .remove(&(attachment.namespace, attachment.vni));
        if let Some(position) = attachment.transit {
            self.transits.remove(&position);
        }
        Some(attachment)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Attachment> + Clone {
        self.endpoints.values().map(|attachment| &**attachment)
    }

    /// A copy of them all, by identifier.
    pub(super) fn all(&self) -> BTreeMap<String, Arc<Attachment>> {
        self.endpoints.clone()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// The first position in the transit pools that nobody has; none if all are taken.
    pub(super) fn free_transit(&self, pools: TransitPools) -> Option<u32> {
        let taken: BTreeSet<u32> = self
            .iter()
            .filter_map(|attachment| attachment.transit)
            .collect();
        (1..=pools.last()).find(|position| !taken.contains(position))
    }

    /// How many addresses they have.
    pub(super) fn addresses(&self) -> usize {
        self.places.len()
    }

    /// The one with this name in this network.
    pub(super) fn named(&self, network: &str, name: &str) -> Option<&Arc<Attachment>> {
        let id = self.names.get(&(network.to_owned(), name.to_owned()))?;
        self.endpoints.get(id)
    }

    /// The one behind this host end.
    pub(super) fn behind(&self, ifindex: u32) -> Option<&Arc<Attachment>> {
        self.endpoints.get(self.interfaces.get(&ifindex)?)
    }

    /// The one with this address.
    pub(super) fn at(&self, place: Place) -> Option<&Arc<Attachment>> {
        self.endpoints.get(self.places.get(&place)?)
    }

    /// The one of this namespace in this network.
    pub(super) fn of_namespace(
        &self,
        namespace: NamespaceId,
        vni: Vni,
    ) -> Option<&Arc<Attachment>> {
        self.endpoints.get(self.namespaces.get(&(namespace, vni))?)
    }

    /// The one for which this position of the transit pools stands.
    pub(super) fn at_transit(&self, position: u32) -> Option<&Arc<Attachment>> {
        self.endpoints.get(self.transits.get(&position)?)
    }

    /// All of one namespace, in the order of networks.
    pub(super) fn all_of_namespace(
        &self,
        namespace: NamespaceId,
    ) -> impl Iterator<Item = &Arc<Attachment>> {
        let first = (namespace, Vni::LEAST);
        let from_there = self.namespaces.range(first..);
        from_there
            .take_while(move |((of, _), _)| *of == namespace)
            .filter_map(|(_, id)| self.endpoints.get(id))
    }

    /// Addresses in a network that endpoints have, from `first` to `last`, ascending.
    pub(super) fn taken(
        &self,
        vni: Vni,
        first: IpAddr,
        last: IpAddr,
    ) -> impl Iterator<Item = IpAddr> + '_ {
        let range = Place {
            vni,
            address: first,
        }..=Place { vni, address: last };
        self.places.range(range).map(|(place, _)| place.address)
    }

    /// Whether an endpoint has an address of a lease.
    pub(super) fn uses(&self, lease: &Lease) -> bool {
        let (first, last) = (lease.block.network(), lease.block.broadcast());
        self.taken(lease.vni, first, last).next().is_some()
    }

    /// Those called `reference`, in one network or in all; else the one whose identifier is or begins
    /// with it.
    pub(super) fn find(
        &self,
        reference: &str,
        network: Option<&str>,
    ) -> Result<Vec<Arc<Attachment>>, Ambiguous> {
        let is_in =
            |attachment: &Attachment| network.is_none_or(|network| attachment.network == network);
        let all = self
            .endpoints
            .values()
            .filter(|attachment| is_in(attachment));
        let named: Vec<_> = all
            .filter(|attachment| attachment.name == reference)
            .cloned()
            .collect();
        if !named.is_empty() || reference.is_empty() {
            return Ok(named);
        }
        let from = self.endpoints.range(reference.to_owned()..);
        let alike = from.take_while(|(id, _)| id.starts_with(reference));
        let alike: Vec<_> = alike
            .map(|(_, attachment)| Arc::clone(attachment))
            .filter(|attachment| is_in(attachment))
            .collect();
        if alike.len() > 1 {
            Err(Ambiguous)
        } else {
            Ok(alike)
        }
    }

    /// Indexes of every host end.
    pub(super) fn host_ends(&self) -> BTreeSet<u32> {
        self.interfaces.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing::attachment;

    fn directory() -> Directory {
        let mut directory = Directory::default();
        directory.insert(attachment(1));
        directory.insert(attachment(2));
        directory
    }

    #[test]
    fn an_endpoint_is_found_by_all_that_it_has() {
        let directory = directory();
        let second = attachment(2);
        let place = Place {
            vni: second.vni,
            address: second.addresses().next().unwrap(),
        };

        assert_eq!(**directory.named("blue", "c2").unwrap(), second);
        assert_eq!(**directory.behind(second.host_ifindex).unwrap(), second);
        assert_eq!(**directory.at(place).unwrap(), second);
        assert_eq!(
            **directory
                .of_namespace(second.namespace, second.vni)
                .unwrap(),
            second
        );
        assert_eq!(directory.find(&second.id, None).unwrap().len(), 1);
        assert_eq!(directory.find(&second.id[..3], None).unwrap().len(), 1);
    }

    #[test]
    fn nothing_of_a_removed_endpoint_is_left() {
        let mut directory = directory();

        let gone = directory.remove(&attachment(2).id).unwrap();

        assert_eq!(directory.len(), 1);
        assert!(directory.named("blue", "c2").is_none());
        assert!(directory.behind(gone.host_ifindex).is_none());
        assert!(directory.find("c2", None).unwrap().is_empty());
        assert_eq!(directory.addresses(), 1);
    }

    #[test]
    fn a_name_is_looked_for_in_one_network_or_in_all() {
        let directory = directory();

        assert_eq!(directory.find("c1", None).unwrap().len(), 1);
        assert_eq!(directory.find("c1", Some("blue")).unwrap().len(), 1);
        assert!(directory.find("c1", Some("red")).unwrap().is_empty());
        assert!(directory.find("", None).unwrap().is_empty());
    }

    #[test]
    fn a_short_identifier_of_several_is_ambiguous() {
        let mut directory = directory();
        let mut third = attachment(3);
        third.id = format!("{}f", &attachment(2).id[..63]);
        directory.insert(third);

        assert_eq!(directory.find(&attachment(2).id[..4], None), Err(Ambiguous));
    }
}
