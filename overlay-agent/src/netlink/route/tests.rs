use super::*;
use crate::netlink::testing::{Host, pair};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A host with addresses of both families, and the peer that keeps its link alive.
fn hosts() -> [Host; 2] {
    let [mut left, right] = pair();
    let ifindex = left.link.ifindex;
    left.socket
        .add_address(ifindex, address("10.9.0.1"), 24)
        .unwrap();
    left.socket
        .add_address(ifindex, address("fd00:9::1"), 64)
        .unwrap();
    [left, right]
}

fn resolved(host: &Host, gateway: Option<&str>, source: &str) -> Resolved {
    Resolved {
        ifindex: host.link.ifindex,
        gateway: gateway.map(address),
        preferred_source: Some(address(source)),
        mtu: None,
        is_local: false,
    }
}

#[test]
fn a_neighbour_is_on_the_link_and_the_rest_behind_the_gateway() {
    let [mut host, _peer] = hosts();
    let ifindex = host.link.ifindex;
    for (gateway, any) in [("10.9.0.254", "0.0.0.0"), ("fd00:9::fe", "::")] {
        let route = Route::via(address(any), 0, ifindex, address(gateway));
        host.socket.add_route(&route).unwrap();
    }

    for (destination, gateway, source) in [
        ("10.9.0.7", None, "10.9.0.1"),
        ("192.0.2.1", Some("10.9.0.254"), "10.9.0.1"),
        ("fd00:9::7", None, "fd00:9::1"),
        ("2001:db8::1", Some("fd00:9::fe"), "fd00:9::1"),
    ] {
        let expected = resolved(&host, gateway, source);
        let own = Some(address(source));
        assert_eq!(
            host.socket.lookup(address(destination), None).unwrap(),
            expected
        );
        assert_eq!(
            host.socket
                .lookup(address(destination), own)
                .unwrap()
                .gateway,
            expected.gateway
        );
    }
}

#[test]
fn a_route_may_have_a_metric_a_source_and_a_foreign_gateway() {
    let [mut host, _peer] = hosts();
    let ifindex = host.link.ifindex;
    let route = Route {
        preferred_source: Some(address("10.9.0.1")),
        mtu: Some(1300),
        ..Route::on_link(address("10.10.0.0"), 16, ifindex)
    };
    let through_v6 = Route::via(address("10.11.0.0"), 16, ifindex, address("fd00:9::fe"));
    let off_link = Route {
        is_gateway_on_link: true,
        ..Route::via(address("10.12.0.0"), 16, ifindex, address("169.254.1.1"))
    };
    for route in [route, through_v6, off_link] {
        host.socket.add_route(&route).unwrap();
    }

    let with_mtu = host.socket.lookup(address("10.10.1.1"), None).unwrap();
    let mixed = host.socket.lookup(address("10.11.1.1"), None).unwrap();
    let distant = host.socket.lookup(address("10.12.1.1"), None).unwrap();

    assert_eq!(
        with_mtu,
        Resolved {
            mtu: Some(1300),
            ..resolved(&host, None, "10.9.0.1")
        }
    );
    assert_eq!(mixed, resolved(&host, Some("fd00:9::fe"), "10.9.0.1"));
    assert_eq!(distant, resolved(&host, Some("169.254.1.1"), "10.9.0.1"));
}

#[test]
fn an_own_address_is_local() {
    let [mut host, _peer] = hosts();

    for own in ["10.9.0.1", "fd00:9::1"] {
        host.socket
            .wait_until_local(address(own), Duration::from_secs(5))
            .unwrap();
        let resolved = host.socket.lookup(address(own), None).unwrap();
        assert!(resolved.is_local, "{resolved:?}");
        assert_eq!(resolved.ifindex, 1);
    }
    let foreign = host
        .socket
        .wait_until_local(address("10.9.0.7"), Duration::ZERO)
        .unwrap_err();
    assert_eq!(
        foreign.to_string(),
        "could not wait for own address 10.9.0.7"
    );
}

#[test]
fn nowhere_to_go_is_an_error_that_names_the_destination() {
    let [mut host, _peer] = hosts();
    let route = Route::on_link(address("10.10.0.0"), 16, host.link.ifindex);
    host.socket.add_route(&route).unwrap();
    host.socket.delete_route(&route).unwrap();

    for nowhere in ["10.10.1.1", "2001:db8::1"] {
        let error = host.socket.lookup(address(nowhere), None).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENETUNREACH), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("could not find a route to {nowhere}")
        );
    }
    let again = host.socket.delete_route(&route).unwrap_err();
    assert!(again.is_not_found(), "{again:?}");
    assert!(
        again.to_string().contains("10.10.0.0/16 on interface left"),
        "{again}"
    );
}
