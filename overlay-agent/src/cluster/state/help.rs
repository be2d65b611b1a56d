//! The way out of each refusal.

use std::borrow::Cow;

use super::Refusal;

impl Refusal {
    /// What to do.
    #[expect(clippy::too_many_lines, reason = "a table: one row for each refusal")]
    pub fn help(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NoCluster => "use `overlay swarm init` or `overlay swarm join` first",
            Self::ClusterExists => "leave this swarm with `overlay swarm leave` first",
            Self::DataPathPort { .. } => "choose one from 1024 to 49151",
            Self::MaskLength { net, longest, .. } => {
                let least = net.prefix_len();
                return format!("choose a mask length from {least} to {longest}").into();
            }
            Self::PoolsOverlap { .. } => "use pools that share no address",
            Self::NoNode { .. } => "see `overlay node ls` for the nodes there are",
            Self::AmbiguousNode { .. } => "use the whole ID, which `overlay node ls` shows",
            Self::Hostname { .. } => "use 1 to 253 letters, digits, `-`, `_` and `.`",
            Self::NodeRemoved { .. } => {
                "run `overlay swarm leave --force` there, then join with a new token"
            }
            Self::NotForUnderlay { .. } => {
                "use the address at which the other nodes reach this one (--advertise-addr, \
                 --data-path-addr)"
            }
            Self::AddressTaken { node, .. } => {
                return format!(
                    "use another --data-path-addr; if that node is gone, wait until it is seen as \
                     down, or run `overlay node rm --force {node}`"
                )
                .into();
            }
            Self::MixedFamilies { .. } => "give all nodes addresses of one family",
            Self::LastManager { .. } => {
                "promote another node first; `overlay swarm leave --force` gives the swarm up"
            }
            Self::QuorumLoss { .. } => {
                "bring managers back or promote others first; `overlay swarm leave --force` leaves \
                 all the same"
            }
            Self::IsManager { .. } => "demote it to worker before removal",
            Self::NotDown { .. } => {
                "stop it or let it leave first, or use `overlay node rm --force`"
            }
            Self::NoLabel { .. } => "see `overlay node inspect` for its labels",
            Self::NoKey { .. } => "write NAME=VALUE",
            Self::WeakToken { .. } => "make a new random one",
            Self::SameAuthority => "make a new one",
            Self::AuthorityOvertaken => {
                "look at `overlay swarm ca`, and rotate again if it is still needed"
            }
            Self::TooShort { .. } => "choose a longer time",
            Self::NoAuthorityRotation => "begin one with `overlay swarm ca --rotate`",
            Self::AuthorityRotationUnfinished { .. } => {
                "wait until they renewed theirs, or remove them if they are gone"
            }
            Self::KeyInUse { primary, .. } => {
                return format!("name {primary} at most").into();
            }
            Self::NoNetwork { .. } => "see `overlay network ls` for the networks there are",
            Self::AmbiguousNetwork { .. } => {
                "use the name or the whole ID, which `overlay network ls --no-trunc` shows"
            }
            Self::NetworkName { .. } => {
                "use 1 to 64 letters, digits, `-`, `_` and `.`, first a letter or digit"
            }
            Self::PredefinedName { .. } | Self::NetworkExists { .. } => "choose another name",
            Self::NetworkIdTaken { .. } => "try again with a new one",
            Self::NetworkOption { .. } => "correct the value, or leave the option out",
            Self::VniTaken { .. } => "choose another, or leave the option out to get a free one",
            Self::NoVni => "remove networks that nobody needs with `overlay network prune`",
            Self::NoFamily => "ask for at least one of them",
            Self::HostBits { net } => return format!("write {}", net.trunc()).into(),
            Self::SubnetTooSmall { longest, .. } => {
                return format!("use a prefix up to /{longest}").into();
            }
            Self::NotForContainers { .. } => {
                "use a private range such as 10.1.0.0/24 or fd00:1::/64"
            }
            Self::SubnetsOverlap { .. } => "use subnets that share no address",
            Self::SubnetTaken { .. } => "choose another, or leave --subnet out to get a free one",
            Self::HostRoute { .. } => {
                "choose a subnet that this host does not use, or leave --subnet out to get one"
            }
            Self::PoolsExhausted { .. } => {
                "name a --subnet, or remove networks that nobody needs with `overlay network prune`"
            }
            Self::NoMatchingSubnet { .. } => "choose it inside a --subnet of its family",
            Self::RangesInOneSubnet { .. } => "give one --ip-range for each subnet",
            Self::GatewaysInOneSubnet { .. } => "give one --gateway for each subnet",
            Self::NetworkInUse { .. } => {
                "disconnect them first; `overlay network inspect --verbose` lists them"
            }
            Self::NetworkOfService { network, service } => {
                return format!(
                    "take it off first with `overlay service update --network-rm {network} {service}`, \
                     or `overlay service rm {service}`"
                )
                .into();
            }
            Self::IngressInUse { service } => {
                return format!(
                    "first `overlay service rm {service}`, or give it a network of its own and publish \
                     none of its ports in mode=ingress"
                )
                .into();
            }
            Self::IngressPresent { .. } => "remove that one first; there can be one",
            Self::IngressAttachable => "leave --attachable out",
            Self::Service(refusal) => refusal.help(),
            Self::NothingAsked { what } => return format!("name at least one {what}").into(),
            Self::NoSubnetOfFamily { .. } => {
                "make the network with a subnet of that family (--subnet, --ipv6)"
            }
            Self::AddressesExhausted { .. } => {
                "try again when nodes have given back what they do not use, remove endpoints, or \
                 use a network with a larger subnet"
            }
            Self::OutsideSubnets { subnets, .. } => {
                return format!("choose one of {subnets}").into();
            }
            Self::NotAHost { .. } | Self::Reserved { .. } => "choose another address",
            Self::AddressInUse { .. } => "choose another address, or remove that endpoint first",
            Self::NotLeased { .. } => "give back only what the node has",
            Self::GivenBackTwice { .. } => "name each address once",
        })
    }
}
