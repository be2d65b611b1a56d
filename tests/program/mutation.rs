//! Random and mutated packets, by the hundred thousand: no packet is lost from the books, and none gets
//! where it must not.

use overlay_common::{
    abi::program::{FROM_CONTAINER, FROM_UNDERLAY},
    reason::Reason,
    walk::Walk,
};

use crate::{
    fixture::{
        Action, CLIENT, CLIENT_MAC, CLIENT_V6, Fixture, LOCAL_VTEP, PEER_VTEP, PORT, REMOTE,
        SERVER, SERVER_V6, VNI,
    },
    packet::{self, Ipv4, between, ethernet},
    services::families,
};

/// Packets for each program; `OVERLAY_TEST_PACKETS` changes it.
fn rounds() -> u32 {
    let given = std::env::var("OVERLAY_TEST_PACKETS").ok();
    given.map_or(1_000_000, |text| {
        text.parse().expect("OVERLAY_TEST_PACKETS is a number")
    })
}

/// A small generator (xorshift64*), so that a failure is repeated by its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Changes up to four bytes, or the length.
fn mutate(random: &mut Random, packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    for _ in 0..random.below(5) {
        let at = random.below(packet.len());
        packet[at] = match random.below(3) {
            0 => random.next() as u8,
            1 => packet[at] ^ 1 << random.below(8),
            _ => [0, 0xff, 0x7f, 0x80][random.below(4)],
        };
    }
    if random.below(4) == 0 {
        packet.truncate(14 + random.below(packet.len() - 14));
    }
    // The kernel refuses test packets without a whole IP header.
    let least = match packet[12..14] {
        [0x08, 0x00] => 34,
        [0x86, 0xdd] => 54,
        _ => 14,
    };
    if packet.len() < least {
        packet.resize(least, 0);
    }
    packet
}

#[test]
fn whatever_a_container_sends_is_counted_once_and_never_goes_out_under_a_false_name() {
    let mut fixture = Fixture::new();
    let udp = packet::udp(1, 2, &[5; 24]);
    let seeds = [
        ethernet(
            CLIENT_MAC,
            [2; 6],
            0x0800,
            &Ipv4::udp().around(CLIENT, REMOTE, &udp),
        ),
        ethernet(
            CLIENT_MAC,
            [2; 6],
            0x0800,
            &Ipv4::udp().around(CLIENT, SERVER, &udp),
        ),
        ethernet(
            CLIENT_MAC,
            [2; 6],
            0x86dd,
            &packet::ipv6(CLIENT_V6, SERVER_V6, 17, &udp),
        ),
        packet::arp(1, CLIENT_MAC, CLIENT, SERVER),
        packet::solicitation(CLIENT_MAC, CLIENT_V6, SERVER_V6),
    ];
    let seeds: Vec<_> = seeds.into_iter().chain(to_services()).collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let before: u64 = total(&fixture);
    for round in 0..rounds() {
        let seed = random.below(seeds.len());
        let packet = mutate(&mut random, &seeds[seed]);

        let (action, out) = fixture.run_uncounted(FROM_CONTAINER, &packet);

        assert_ne!(action, Action::Pass, "round {round}: {packet:02x?}");
        if action == Action::Redirect {
            assert_eq!(packet[6..12], CLIENT_MAC, "round {round}: {packet:02x?}");
            let is_ipv4 = packet[12..14] == [8, 0];
            assert!(
                !is_ipv4 || packet[26..30] == CLIENT,
                "round {round}: {packet:02x?} -> {out:02x?}"
            );
        }
    }
    assert_eq!(total(&fixture) - before, u64::from(rounds()));
}

/// Packets for virtual addresses, and errors about answers from there.
fn to_services() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for family in families() {
        let icmp = if family.client.is_ipv4() { 1 } else { 58 };
        let macs = (CLIENT_MAC, [2; 6]);
        for vip in [family.near, family.far, family.own, family.empty] {
            let to = |protocol, bytes: &[u8]| between(macs, family.client, vip, protocol, bytes);
            let back = between(
                macs,
                vip,
                family.client,
                17,
                &packet::udp(80, 4000, &[5; 24]),
            );
            seeds.push(to(6, &packet::tcp([4000, 80], 2, &[])));
            seeds.push(to(17, &packet::udp(4000, 80, &[5; 24])));
            seeds.push(to(icmp, &[&[3, 3, 0, 0, 0, 0, 0, 0], &back[14..]].concat()));
        }
    }
    seeds
}

#[test]
fn whatever_the_underlay_brings_reaches_only_the_container_it_names() {
    let mut fixture = Fixture::new();
    let inner = ethernet(
        [9; 6],
        [2; 6],
        0x0800,
        &Ipv4::udp().around(REMOTE, CLIENT, &packet::udp(1, 2, &[5; 24])),
    );
    let outer = |frame: &[u8]| {
        let udp = packet::udp(40000, PORT, &packet::vxlan(VNI, frame));
        ethernet(
            [2; 6],
            [0; 6],
            0x0800,
            &Ipv4::udp().around(PEER_VTEP, LOCAL_VTEP, &udp),
        )
    };
    let [family, _] = families();
    let macs = ([9; 6], [2; 6]);
    let sent = between(
        (CLIENT_MAC, [2; 6]),
        family.client,
        family.far,
        17,
        &packet::udp(2, 1, &[5; 24]),
    );
    fixture.run_uncounted(FROM_CONTAINER, &sent);
    let (remote, client) = (family.remote, family.client);
    let answer = between(macs, remote, client, 17, &packet::udp(1, 2, &[5; 24]));
    let arrived = between(macs, client, remote, 17, &packet::udp(2, 1, &[5; 24]));
    let quote = [&[3, 3, 0, 0, 0, 0, 0, 0], &arrived[14..]].concat();
    let error = between(macs, remote, client, 1, &quote);
    let seeds = [
        outer(&inner),
        outer(&packet::arp(1, [9; 6], REMOTE, CLIENT)),
        outer(&answer),
        outer(&error),
    ];
    let mut random = Random(0x0123_4567_89ab_cdef);
    let mut passed = 0;
    let before = fixture.counters();
    let before_total = total(&fixture);
    for round in 0..rounds() {
        let seed = random.below(seeds.len());
        let packet = mutate(&mut random, &seeds[seed]);

        let (action, out) = fixture.run_uncounted(FROM_UNDERLAY, &packet);

        match action {
            Action::Pass => {
                passed += 1;
                assert_eq!(out, packet, "round {round}");
            }
            Action::Redirect => {
                let is_peer = packet[26..29] == PEER_VTEP[..3] && (2..=4).contains(&packet[29]);
                assert!(
                    is_peer && packet[30..34] == LOCAL_VTEP,
                    "round {round}: {packet:02x?}"
                );
                assert_eq!(
                    packet[46..49],
                    [0, 0x10, 0],
                    "round {round}: only our own network"
                );
                let is_bare = out.len() + 50 == packet.len();
                let is_delivered = out[30..34] == packet[80..84];
                let is_here = [CLIENT, SERVER].iter().any(|here| out[30..34] == here[..]);
                assert!(
                    !is_bare || is_delivered && is_here,
                    "round {round}: {out:02x?}"
                );
            }
            Action::Drop => {}
        }
    }
    let after = fixture.counters();
    let left = after.0[Walk::LeftToKernel as usize] - before.0[Walk::LeftToKernel as usize];
    assert_eq!(
        total(&fixture) - before_total,
        u64::from(rounds()) - passed + left
    );
    let torn = Reason::Torn as usize;
    assert_eq!(
        after.1[torn], before.1[torn],
        "a packet was changed in part"
    );
}

fn total(fixture: &Fixture) -> u64 {
    let (walks, reasons) = fixture.counters();
    walks.iter().chain(&reasons).sum()
}
