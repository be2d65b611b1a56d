//! Values that several tests use.

use std::collections::BTreeMap;

use crate::model::{Attachment, Desired, MacAddress, NamespaceId, Network, Node, Vni};

/// The network `blue`.
pub(super) fn blue() -> Vni {
    Vni::try_from(4096).unwrap()
}

/// The endpoint `c<number>` of `blue`, 10.1.0.<number + 1>.
pub(super) fn attachment(number: u8) -> Attachment {
    let address = [10, 1, 0, number + 1].into();
    Attachment {
        id: format!("{number:02x}").repeat(32),
        name: format!("c{number}"),
        network: "blue".to_owned(),
        vni: blue(),
        ipv4: Some((address, 24)),
        ipv6: None,
        mac: MacAddress::derived(address.into()),
        mtu: 1450,
        netns: "/run/netns/c".into(),
        namespace: NamespaceId {
            device: 4,
            inode: u64::from(number),
        },
        host_interface: format!("ov{number:012x}"),
        host_ifindex: 100 + u32::from(number),
        interface: "eth0".to_owned(),
        created: 0,
        cookie: None,
        conflict: None,
        aliases: Vec::new(),
        service: None,
        follows_service: false,
        ports: Vec::new(),
        encrypted: false,
        transit: None,
    }
}

/// Nodes `a` (this one) and `b`, which share `10.1.0.0/24` and `fd00:1::/64` of `blue`.
pub(super) fn desired() -> Desired {
    let node = |name: &str, last: u8, blocks: [&str; 2]| Node {
        name: name.to_owned(),
        address: [192, 0, 2, last].into(),
        blocks: BTreeMap::from([(
            blue(),
            blocks.iter().map(|block| block.parse().unwrap()).collect(),
        )]),
        endpoints: Vec::new(),
    };
    Desired {
        ingress: None,
        this: [192, 0, 2, 1].into(),
        nodes: vec![
            node("a", 1, ["10.1.0.0/29", "fd00:1::/120"]),
            node("b", 2, ["10.1.0.64/26", "fd00:1::100/120"]),
        ],
        networks: vec![Network {
            name: "blue".to_owned(),
            vni: blue(),
            subnets: vec![
                "10.1.0.0/24".parse().unwrap(),
                "fd00:1::/64".parse().unwrap(),
            ],
            gateways: vec!["10.1.0.1".parse().unwrap(), "fd00:1::1".parse().unwrap()],
            mtu: None,
        }],
        internal: std::collections::BTreeSet::new(),
        encrypted: std::collections::BTreeSet::new(),
    }
}
