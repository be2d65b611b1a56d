//! Making an endpoint: check everything, then make, connect and keep; whatever fails undoes what was
//! done before it.

use std::{
    fs::File,
    io::{self, Read as _},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tracing::{info, warn};

use super::{
    addresses::{Addresses, Chosen, NoAddress, Origin},
    owner::{Membership, Owner},
    plumbing::{DNS_V4, DNS_V6, host_interface},
    swarm::News,
};
use crate::{
    api::{ApiError, types::AttachRequest},
    control::{InterfaceWish, MadeInterface, Plumbing as _, PortError, PortErrorKind},
    model::{Attachment, MacAddress, NamespaceId, Network, Place, PublishedPort},
    netlink::{self, Namespace},
    settings::Cluster,
};

const LONGEST_NAME: usize = 128;

/// A wish that was checked.
struct Plan {
    network: Network,
    chosen: Chosen,
    mac: MacAddress,
    mtu: u32,
    encrypted: bool,
    transit: Option<u32>,
    /// Destinations by way of the gateway.
    via: Vec<(IpNet, IpAddr)>,
}

impl Owner {
    /// Makes an endpoint. Nothing is left half-made when it fails.
    pub(super) fn attach(
        &mut self,
        request: &AttachRequest,
        membership: Option<Membership>,
    ) -> Result<Arc<Attachment>, NoAddress> {
        let namespace = open_namespace(&request.netns)?;
        let plan = self.plan(request, namespace.id())?;
        let id = new_id().map_err(|error| ApiError::internal(&error))?;
        let ports = self.choose_ports(&request.ports, &plan.chosen)?;
        let attached = self.make(request, &plan, id, ports.clone(), membership, namespace);
        if attached.is_err() {
            let addresses: Vec<_> = plan.chosen.addresses().collect();
            self.withdraw(&ports, &addresses);
        }
        attached
    }

    fn make(
        &mut self,
        request: &AttachRequest,
        plan: &Plan,
        id: String,
        ports: Vec<PublishedPort>,
        membership: Option<Membership>,
        namespace: Namespace,
    ) -> Result<Arc<Attachment>, NoAddress> {
        let wish = interface_wish(request, plan, &id);
        let made = self.reconciler.plumbing().make(&wish);
        // From here on only what needs the namespace keeps it alive.
        drop(namespace);
        let made = made.map_err(|error| refused(&error))?;
        let attachment = Attachment {
            ports,
            service: membership.map(|membership| membership.service),
            follows_service: membership.is_some_and(|membership| membership.follows),
            ..attachment(request, plan, id, &wish, &made)
        };

        if let Err(error) = self.connect(&attachment) {
            self.unmake(&attachment);
            return Err(error.into());
        }
        info!(
            endpoint = attachment.name,
            network = attachment.network,
            interface = attachment.host_interface,
            "attached"
        );
        let attachment = Arc::new(attachment);
        self.shared.directory_mut().insert(Arc::clone(&attachment));
        self.tell(News::Attached(Arc::clone(&attachment)));
        Ok(attachment)
    }

    fn connect(&mut self, attachment: &Attachment) -> Result<(), ApiError> {
        self.reconciler
            .add(attachment)
            .map_err(|error| refused(&error))?;
        self.store.save(attachment).map_err(|error| {
            if let Err(leftover) = self.reconciler.remove(attachment) {
                let leftover: &dyn std::error::Error = &leftover;
                warn!(leftover, "the next audit takes it away");
            }
            ApiError::internal(&error)
        })
    }

    fn unmake(&mut self, attachment: &Attachment) {
        let host_interface = &attachment.host_interface;
        let removed = self
            .reconciler
            .plumbing()
            .remove(host_interface, attachment.host_ifindex);
        if let Err(error) = removed {
            let error: &dyn std::error::Error = &error;
            warn!(
                error,
                interface = host_interface,
                "a half-made interface is left"
            );
        }
    }

    fn plan(&self, request: &AttachRequest, namespace: NamespaceId) -> Result<Plan, NoAddress> {
        check_name(&request.name)?;
        request
            .aliases
            .iter()
            .try_for_each(|alias| check_name(alias))?;
        let desired = self.shared.desired();
        let network = desired
            .network(&request.network)
            .ok_or_else(|| self.no_network(request))?;
        let directory = self.shared.directory();
        if directory.named(&network.name, &request.name).is_some() {
            return Err(ApiError::conflict(format!(
                "endpoint {} exists already in network {}",
                request.name, network.name
            ))
            .with_help("choose another name, or detach that one first")
            .into());
        }
        if let Some(other) = directory.of_namespace(namespace, network.vni) {
            return Err(ApiError::conflict(format!(
                "{} is in network {} already, as endpoint {}",
                request.netns.display(),
                network.name,
                other.name
            ))
            .with_help("a namespace has one endpoint in a network; detach that one first")
            .into());
        }
        check_namespace(request, namespace)?;

        let tables = self.reconciler.tables();
        let listed_at = |place: Place| {
            let route = tables?.routes.get(&place)?;
            let peer = tables?.peers.get(&route.peer)?;
            desired.node_at(peer.remote)
        };
        let own = |place: Place| {
            let this = desired.this_node()?;
            let is_listed = this
                .endpoints
                .iter()
                .any(|endpoint| endpoint.vni == place.vni && endpoint.address == place.address);
            is_listed.then_some(this)
        };
        let addresses = Addresses {
            desired: &desired,
            network,
            directory: &directory,
            listed_at: &|place| listed_at(place).or_else(|| own(place)),
            origin: match self.shared.settings.cluster {
                Cluster::Static(_) => Origin::File,
                Cluster::Swarm(_) => Origin::Managers,
            },
        };
        let chosen = addresses.choose(&request.addresses)?;
        self.check_room(&directory, &chosen)?;
        let mac = choose_mac(request.mac, &chosen)?;
        let entry = tables.and_then(|tables| tables.networks.get(&network.vni));
        let mtu = entry
            .map(|entry| entry.mtu)
            .or(network.mtu)
            .ok_or_else(|| {
                ApiError::conflict(format!("network {} is not programmed yet", network.name))
                    .with_help("try again after the next audit, or run `overlay audit`")
            })?;
        let pools = self.shared.settings.outside.in_use();
        let transit = pools.and_then(|pools| directory.free_transit(pools));
        if pools.is_some() && transit.is_none() {
            warn!(
                endpoint = request.name,
                "outside.transit_pools is used up: it has no way out"
            );
        }
        let via = match transit {
            Some(_) => ways_out(network, &chosen, desired.internal.contains(&network.vni)),
            None => Vec::new(),
        };
        Ok(Plan {
            network: network.clone(),
            chosen,
            mac,
            mtu,
            encrypted: desired.encrypted.contains(&network.vni),
            transit,
            via,
        })
    }

    fn check_room(
        &self,
        directory: &super::directory::Directory,
        chosen: &Chosen,
    ) -> Result<(), ApiError> {
        let wanted = usize::from(chosen.ipv4.is_some()) + usize::from(chosen.ipv6.is_some());
        let room = self.shared.settings.limits.endpoints as usize;
        if directory.addresses() + wanted <= room {
            return Ok(());
        }
        Err(ApiError::conflict(format!(
            "this node has {} endpoint addresses, and room for {room}",
            directory.addresses()
        ))
        .with_help("raise datapath.limits.endpoints and restart the agent"))
    }

    fn no_network(&self, request: &AttachRequest) -> ApiError {
        let desired = self.shared.desired();
        let networks = desired.networks.iter();
        let names: Vec<&str> = networks.map(|network| network.name.as_str()).collect();
        let help = if names.is_empty() {
            "there is none; add one under cluster.networks".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        ApiError::not_found(format!("there is no network {}", request.network)).with_help(help)
    }
}

fn open_namespace(path: &Path) -> Result<Namespace, ApiError> {
    Namespace::open(path).map_err(|error| match &error {
        error if error.is_not_found() => {
            ApiError::not_found(format!("there is no network namespace {}", path.display()))
                .with_help("give a file like /run/netns/NAME or /proc/PID/ns/net")
        }
        netlink::Error::NotANamespace { .. } => ApiError::bad_request(error.to_string()),
        netlink::Error::Refused { .. }
        | netlink::Error::Malformed { .. }
        | netlink::Error::Inconsistent { .. }
        | netlink::Error::InvalidName { .. }
        | netlink::Error::InvalidSysctl { .. } => ApiError::internal(&error),
    })
}

fn check_namespace(request: &AttachRequest, namespace: NamespaceId) -> Result<(), ApiError> {
    let own = Namespace::current().map_err(|error| ApiError::internal(&error))?;
    if own.id() != namespace {
        return Ok(());
    }
    let path = request.netns.display();
    Err(
        ApiError::bad_request(format!("{path} is the agent's own network namespace"))
            .with_help("give the namespace of a container"),
    )
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts_well && name.len() <= LONGEST_NAME && name.bytes().all(is_allowed) {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("`{name}` cannot name an endpoint")).with_help(format!(
        "a name has 1 to {LONGEST_NAME} letters, digits, `_`, `.` and `-`, and begins with a letter or digit"
    )))
}

fn choose_mac(wish: Option<MacAddress>, chosen: &Chosen) -> Result<MacAddress, ApiError> {
    match (wish, chosen.first()) {
        (Some(mac), _) if mac.is_unicast() => Ok(mac),
        (Some(mac), _) => Err(ApiError::bad_request(format!(
            "{mac} cannot be the address of one interface"
        ))
        .with_help("choose one whose first byte is even, such as 02:42:0a:01:00:05")),
        (None, Some(address)) => Ok(MacAddress::derived(address)),
        (None, None) => Err(ApiError::bad_request("an endpoint needs an address")),
    }
}

/// What lies behind the network's gateway: this node's DNS, and everything else unless the network is internal.
fn ways_out(network: &Network, chosen: &Chosen, is_internal: bool) -> Vec<(IpNet, IpAddr)> {
    let v4 = chosen.ipv4.map(|(address, _)| IpAddr::V4(address));
    let v6 = chosen.ipv6.map(|(address, _)| IpAddr::V6(address));
    let mut ways = Vec::new();
    for own in v4.into_iter().chain(v6) {
        let mut subnets = network.subnets.iter().zip(&network.gateways);
        let Some((_, gateway)) = subnets.find(|(subnet, _)| subnet.contains(&own)) else {
            continue;
        };
        let (dns, everywhere): (IpAddr, IpNet) = match own {
            IpAddr::V4(_) => (DNS_V4.into(), Ipv4Net::default().into()),
            IpAddr::V6(_) => (DNS_V6.into(), Ipv6Net::default().into()),
        };
        ways.push((dns.into(), *gateway));
        if !is_internal {
            ways.push((everywhere, *gateway));
        }
    }
    ways
}

fn interface_wish(request: &AttachRequest, plan: &Plan, id: &str) -> InterfaceWish {
    let chosen = plan.chosen;
    let is_own = |subnet: &ipnet::IpNet| {
        let v4 = chosen.ipv4.map(|(address, _)| address.into());
        let v6 = chosen.ipv6.map(|(address, _)| address.into());
        [v4, v6]
            .into_iter()
            .flatten()
            .any(|address: std::net::IpAddr| subnet.contains(&address))
    };
    InterfaceWish {
        netns: request.netns.clone(),
        host_interface: host_interface(id),
        mac: plan.mac,
        mtu: plan.mtu,
        ipv4: chosen.ipv4,
        ipv6: chosen.ipv6,
        on_link: plan
            .network
            .subnets
            .iter()
            .copied()
            .filter(|subnet| !is_own(subnet))
            .collect(),
        via: plan.via.clone(),
    }
}

fn attachment(
    request: &AttachRequest,
    plan: &Plan,
    id: String,
    wish: &InterfaceWish,
    made: &MadeInterface,
) -> Attachment {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Attachment {
        id,
        name: request.name.clone(),
        network: plan.network.name.clone(),
        vni: plan.network.vni,
        ipv4: plan.chosen.ipv4,
        ipv6: plan.chosen.ipv6,
        mac: plan.mac,
        mtu: plan.mtu,
        netns: request.netns.clone(),
        namespace: made.namespace,
        cookie: made.cookie,
        host_interface: wish.host_interface.clone(),
        host_ifindex: made.host_ifindex,
        interface: made.interface.clone(),
        created: now.as_secs(),
        conflict: None,
        aliases: request.aliases.clone(),
        service: None,
        follows_service: false,
        ports: Vec::new(),
        encrypted: plan.encrypted,
        transit: plan.transit,
    }
}

/// 64 hexadecimal digits that no other endpoint has.
fn new_id() -> io::Result<String> {
    let mut bytes = [0_u8; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(nibbles
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect())
}

fn refused(error: &PortError) -> ApiError {
    match error.kind {
        PortErrorKind::Full | PortErrorKind::Gone => ApiError::conflict(error.to_string()),
        PortErrorKind::Taken => ApiError::conflict(error.source.to_string())
            .with_help("publish another port, or end whoever has it"),
        PortErrorKind::Other => ApiError::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["c1", "web.1-a_b", "0"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-x", ".x", "a b", "a/b", "ä", &"x".repeat(129)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn identifiers_are_long_and_never_alike() {
        let (first, second) = (new_id().unwrap(), new_id().unwrap());

        assert_eq!(first.len(), 64);
        assert!(first.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(first, second);
    }

    #[test]
    fn a_group_address_is_refused() {
        let chosen = Chosen {
            ipv4: Some(([10, 1, 0, 5].into(), 24)),
            ipv6: None,
        };

        assert!(choose_mac(Some("03:00:00:00:00:01".parse().unwrap()), &chosen).is_err());
        assert_eq!(
            choose_mac(None, &chosen).unwrap().to_string(),
            "02:42:0a:01:00:05"
        );
    }
}
