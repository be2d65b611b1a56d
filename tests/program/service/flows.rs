//! What is remembered of flows, and for how long it counts.

use super::*;

fn tcp_to(family: &Family, vip: IpAddr, port: u16, flags: u8) -> Vec<u8> {
    from_client(family, vip, 6, &tcp([port, 80], flags, &[]))
}

fn tcp_back(family: &Family, port: u16, flags: u8) -> Vec<u8> {
    let macs = (REMOTE_MAC, CLIENT_MAC);
    let answer = tcp([80, port], flags, &[]);
    carried(&between(macs, family.remote, family.client, 6, &answer))
}

#[test]
fn a_tcp_flow_is_kept_when_both_sides_have_sent_more_than_a_syn() {
    let [family, _] = families();
    let mut fixture = Fixture::new();

    fixture.run(FROM_CONTAINER, &tcp_to(&family, family.far, 4000, SYN));
    assert_eq!(state_of(&mut fixture, FLOW_NEW), [STATE_NEW; 2]);
    fixture.run(FROM_UNDERLAY, &tcp_back(&family, 4000, SYN_ACK));
    assert_eq!(state_of(&mut fixture, FLOW_NEW), [STATE_OPEN; 2]);
    assert_eq!(state_of(&mut fixture, FLOW), []);
    fixture.run(FROM_CONTAINER, &tcp_to(&family, family.far, 4000, ACK));
    assert_eq!(state_of(&mut fixture, FLOW_NEW), []);
    assert_eq!(state_of(&mut fixture, FLOW), [STATE_OPEN; 2]);
    fixture.run(FROM_UNDERLAY, &tcp_back(&family, 4000, FIN_ACK));
    assert_eq!(state_of(&mut fixture, FLOW), [STATE_CLOSING; 2]);
}

#[test]
fn a_flood_of_syns_never_leaves_the_table_in_which_the_oldest_make_room() {
    let [family, _] = families();
    let mut fixture = Fixture::new();
    for port in 5000..5200 {
        fixture.run(FROM_CONTAINER, &tcp_to(&family, family.far, port, SYN));
        fixture.run(FROM_UNDERLAY, &tcp_back(&family, port, SYN_ACK));
    }

    assert_eq!(fixture.flows(FLOW).len(), 0);
    assert_eq!(fixture.flows(FLOW_NEW).len(), 400);
}

#[test]
fn a_flow_stays_with_its_task_while_new_ones_go_elsewhere() {
    for family in families() {
        let mut fixture = Fixture::new();
        let packet = from_client(&family, family.near, 17, &udp(4000, 80, &[1; 8]));
        fixture.run(FROM_CONTAINER, &packet);
        fixture.set_slots(family.backend, &[family.backend + 1]);

        let same = fixture.run(FROM_CONTAINER, &packet);
        let other = from_client(&family, family.near, 17, &udp(4001, 80, &[1; 8]));
        let other = fixture.run(FROM_CONTAINER, &other);

        assert_eq!(same.packet.len(), packet.len());
        assert_eq!(other.packet.len(), packet.len() + 50);
    }
}

#[test]
fn a_port_used_again_after_its_connection_has_ended_chooses_anew() {
    let [family, _] = families();
    let mut fixture = Fixture::new();
    for flags in [SYN, RST] {
        fixture.run(FROM_CONTAINER, &tcp_to(&family, family.near, 4000, flags));
    }
    fixture.set_slots(family.backend, &[family.backend + 1]);

    let late = fixture.run(FROM_CONTAINER, &tcp_to(&family, family.near, 4000, ACK));
    let again = fixture.run(FROM_CONTAINER, &tcp_to(&family, family.near, 4000, SYN));

    assert_eq!(late.packet.len(), 54, "still to the first task");
    assert_eq!(again.packet.len(), 104, "to the second one, far away");
}

/// Towards the task itself, whose answers must not be taken for the virtual address's then.
#[test]
fn a_port_used_again_past_the_service_is_answered_by_the_task() {
    let [family, _] = families();
    let mut fixture = Fixture::new();
    fixture.run(FROM_CONTAINER, &tcp_to(&family, family.far, 4000, SYN));
    fixture.run(FROM_UNDERLAY, &tcp_back(&family, 4000, SYN_ACK));
    fixture.run(FROM_CONTAINER, &tcp_to(&family, family.far, 4000, ACK));
    let repeated = fixture.run(FROM_UNDERLAY, &tcp_back(&family, 4000, SYN_ACK));
    fixture.run(FROM_UNDERLAY, &tcp_back(&family, 4000, FIN_ACK));

    let last = fixture.run(FROM_UNDERLAY, &tcp_back(&family, 4000, ACK));
    let own = fixture.run(FROM_UNDERLAY, &tcp_back(&family, 4000, SYN_ACK));
    let next = fixture.run(FROM_UNDERLAY, &tcp_back(&family, 4000, ACK));

    assert_eq!(repeated.walks, [(Walk::BalancedAnswer, 1)]);
    assert_eq!(last.walks, [(Walk::BalancedAnswer, 1)]);
    assert_eq!(own.walks, [(Walk::Decapsulated, 1)]);
    assert_eq!(next.walks, [(Walk::Decapsulated, 1)]);
    assert_eq!(state_of(&mut fixture, FLOW), []);
}

#[test]
fn a_full_table_leaves_new_flows_to_their_hash() {
    let [family, _] = families();
    let mut fixture = Fixture::with_flows(2);
    for port in [4000, 4001] {
        for flags in [SYN, ACK, ACK] {
            let there = fixture.run(FROM_CONTAINER, &tcp_to(&family, family.far, port, flags));
            let back = fixture.run(FROM_UNDERLAY, &tcp_back(&family, port, flags | ACK));

            assert_eq!(there.walks, [(Walk::Balanced, 1)]);
            assert_eq!(back.walks, [(Walk::BalancedAnswer, 1)]);
        }
    }

    assert_eq!(state_of(&mut fixture, FLOW), [STATE_OPEN; 2]);
    assert_eq!(state_of(&mut fixture, FLOW_NEW), [STATE_OPEN; 2]);
}

#[test]
fn a_udp_flow_moves_at_once_when_its_task_is_gone() {
    for family in families() {
        let mut fixture = Fixture::new();
        let packet = from_client(&family, family.near, 17, &udp(4000, 80, &[1; 8]));
        fixture.run(FROM_CONTAINER, &packet);
        fixture.set_slots(family.backend, &[family.backend + 1]);
        fixture.remove_backend(family.backend);

        let moved = fixture.run(FROM_CONTAINER, &packet);

        assert_eq!(moved.walks, [(Walk::Balanced, 1)]);
        assert_eq!(moved.packet.len(), packet.len() + 50);
        let backends: Vec<u32> = (fixture.flows(FLOW_NEW).values())
            .map(|flow| flow.backend)
            .collect();
        assert_eq!(backends, [family.backend + 1; 2], "the old ones are gone");
    }
}

#[test]
fn slots_of_dead_tasks_are_stepped_over() {
    let [family, _] = families();
    let mut fixture = Fixture::new();
    fixture.set_slots(100, &[77, family.backend, 77]);
    fixture.set_vip(family.near, 100, 3);
    for port in 4000..4050 {
        let outcome = fixture.run(FROM_CONTAINER, &tcp_to(&family, family.near, port, SYN));

        assert_eq!(outcome.walks, [(Walk::Balanced, 1)], "{port}");
    }
}

#[test]
fn two_services_of_one_task_keep_a_clients_flows_apart() {
    let [family, _] = families();
    let mut fixture = Fixture::new();
    let (one, two) = (family.backend, family.backend + 1);
    fixture.set_slots(200, &[one, two]);
    fixture.set_vip(family.far, 200, 2);
    for port in 4000..4020 {
        fixture.run(FROM_CONTAINER, &tcp_to(&family, family.near, port, SYN));
        let other = fixture.run(FROM_CONTAINER, &tcp_to(&family, family.far, port, SYN));

        assert_eq!(other.packet.len(), 104, "the other task, far away: {port}");
    }
}
