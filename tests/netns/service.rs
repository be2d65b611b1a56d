//! Virtual addresses, with real traffic. The tables are written by the test: who is behind an address is not the
//! matter here.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use aya::maps::{HashMap, Map, MapData};
use overlay_common::{
    abi::map,
    address::Address,
    endpoint::{ENDPOINT_BALANCED, Endpoint, EndpointKey},
    flow::{Flow, FlowKey},
    service::{Backend, RING_SINGLE, Ring, Vip},
};
use overlay_tests::{
    Counters, Host, Pair,
    cluster::Guest,
    interrupt,
    static_config::{Limits, StaticConfig},
    traffic::{Exchange, Iperf, Ping},
};

use crate::{
    pinned::Pinned,
    scene::{addresses, answers, neighbour},
};

const VNI: u32 = 4096;
/// Addresses that are nobody's and in nobody's block.
const VIPS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 1, 1, 240)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0xff00)),
];
const PATIENCE: Duration = Duration::from_secs(4);
/// What "at once" means here, on a machine that does other things too.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Hosts that balance packets only: sockets would be led past what is looked at here.
fn pair(change: impl FnOnce(StaticConfig) -> StaticConfig) -> Pair {
    Pair::with(|config| change(config).socket_lb(false)).expect("a pair")
}

/// One service in the tables of a host, whose container `one` uses it.
struct Service {
    pinned: Pinned,
}

impl Service {
    /// One without tasks.
    fn of(pair: &Pair) -> Self {
        let service = Self {
            pinned: Pinned::of(&pair.a),
        };
        let mut endpoints: HashMap<MapData, EndpointKey, Endpoint> = service.table(map::ENDPOINT);
        for address in addresses(&pair.one) {
            let key = EndpointKey::new(VNI, address.into());
            let mut endpoint = endpoints.get(&key, 0).expect("the client");
            endpoint.flags |= ENDPOINT_BALANCED;
            endpoints.insert(key, endpoint, 0).expect("insert");
        }
        service.choose([0; 2]);
        service
    }

    /// Puts the containers behind it; those of other hosts by the peer's address.
    fn lead_to(&self, first: u32, task: &Guest, host: Option<IpAddr>) {
        let peer = host.map_or(0, |host| {
            let peers: HashMap<MapData, Address, u32> = self.table(map::PEER_BY_ADDR);
            peers.get(&host.into(), 0).expect("the peer")
        });
        let mut backends: HashMap<MapData, u32, Backend> = self.table(map::BACKEND);
        for (number, address) in (first..).zip(addresses(task)) {
            let backend = Backend {
                address: address.into(),
                vni: VNI,
                peer,
                service: 1,
                _reserved: 0,
            };
            backends.insert(number, backend, 0).expect("insert");
        }
        self.choose([first, first + 1]);
    }

    /// The backend of each family from now on; 0: none.
    fn choose(&self, numbers: [u32; 2]) {
        let mut vips: HashMap<MapData, EndpointKey, Vip> = self.table(map::VIP);
        for (address, number) in VIPS.into_iter().zip(numbers) {
            let vip = Vip {
                ring: Ring {
                    first: number,
                    size: if number == 0 { 0 } else { RING_SINGLE },
                },
                service: 1,
                _reserved: 0,
            };
            let key = EndpointKey::new(VNI, address.into());
            vips.insert(key, vip, 0).expect("insert");
        }
    }

    fn end(&self, numbers: [u32; 2]) {
        let mut backends: HashMap<MapData, u32, Backend> = self.table(map::BACKEND);
        for number in numbers {
            backends.remove(&number).expect("remove");
        }
    }

    /// Makes all flows silent for so long.
    fn age(&self, silence: Duration) {
        let mut flows: HashMap<MapData, FlowKey, Flow> = self.table(map::FLOW);
        let entries: Vec<(FlowKey, Flow)> =
            flows.iter().map(|entry| entry.expect("a flow")).collect();
        let seconds = u32::try_from(silence.as_secs()).expect("a short time");
        for (key, mut flow) in entries {
            // The clock began when the machine did.
            flow.seen = flow.seen.saturating_sub(seconds);
            flows.insert(key, flow, 0).expect("insert");
        }
    }

    /// Flows by IP protocol.
    fn flows(&self, table: &str) -> Vec<u32> {
        let flows: HashMap<MapData, FlowKey, Flow> = self.table(table);
        let keys = flows.keys().map(|key| key.expect("a key").scope >> 24);
        keys.collect()
    }

    fn table<T>(&self, name: &str) -> T
    where
        T: TryFrom<Map, Error = aya::maps::MapError>,
    {
        let path = self.pinned.map(name).expect(name);
        let data = MapData::from_pin(path).expect(name);
        T::try_from(Map::from_map_data(data).expect(name)).expect(name)
    }
}

/// All kinds of traffic from `one` to the service behind which `task` is.
fn use_service(pair: &Pair, task: &Guest) {
    let is_self = task.name() == pair.one.name();
    for ((vip, own), client) in VIPS
        .into_iter()
        .zip(addresses(task))
        .zip(addresses(&pair.one))
    {
        let ping = Ping::new(pair.one.namespace(), vip);
        answers(ping).expect("echoes");
        let large = Ping {
            payload: 20_000,
            ..ping
        };
        answers(large).expect("fragmented echoes");
        let exchange = Exchange {
            client: pair.one.namespace(),
            server: task.namespace(),
            address: own,
        };
        let seen = exchange.tcp_by(vip, &[1, 1000, 2_000_000]).expect("TCP");
        assert_eq!(seen, if is_self { vip } else { client });
        exchange.udp_by(vip, &[1, 1000, 20_000]).expect("UDP");
    }
}

#[test]
fn a_service_is_used_wherever_its_task_is() {
    let pair = pair(|config| config);
    let near = neighbour(&pair);
    let service = Service::of(&pair);
    let b = pair.machines()[1].address();
    let tasks = [
        (10, &near, None),
        (20, &pair.two, Some(b)),
        (30, &pair.one, None),
    ];
    for (number, task, host) in tasks {
        service.lead_to(number, task, host);

        let [counted] = Counters::during([&pair.a], || {
            use_service(&pair, task);
            Ok(())
        })
        .expect("counters");

        assert!(counted.walk("balanced") > 0, "{counted:?}");
        assert_eq!(counted.losses(), [], "{}: {counted:?}", task.name());
    }
    pair.check_reach().expect("direct traffic");
}

#[test]
fn aggregates_of_segments_survive() {
    let pair = pair(|config| config);
    let service = Service::of(&pair);
    let b = pair.machines()[1].address();
    service.lead_to(20, &pair.two, Some(b));
    for (vip, own) in VIPS.into_iter().zip(addresses(&pair.two)) {
        let [direct, balanced] = [own, vip].map(|address| {
            let iperf = Iperf {
                client: pair.one.namespace(),
                server: pair.two.namespace(),
                address,
                seconds: 2,
                directory: pair.session().directory(),
            };
            iperf.tcp(1).expect("iperf3").bytes
        });

        // Without aggregates it is a small part.
        assert!(balanced > direct / 3.0, "{balanced} of {direct} bytes");
    }
}

#[test]
fn a_service_without_tasks_refuses_at_once() {
    let pair = pair(|config| config);
    let _service = Service::of(&pair);
    for vip in VIPS {
        assert_refused(&pair.one, vip);
    }
}

#[test]
fn an_error_of_the_task_is_heard_by_the_client() {
    let pair = pair(|config| config);
    let near = neighbour(&pair);
    let service = Service::of(&pair);
    let b = pair.machines()[1].address();
    for (number, task, host) in [(10, &near, None), (20, &pair.two, Some(b))] {
        service.lead_to(number, task, host);
        for vip in VIPS {
            // The tasks are there, but nobody listens.
            assert_refused(&pair.one, vip);
        }
    }
}

/// Both by TCP's reset and by an ICMP error about a datagram.
fn assert_refused(client: &Guest, vip: IpAddr) {
    let started = Instant::now();
    let (tcp, udp) = client
        .namespace()
        .run(|| {
            let tcp = TcpStream::connect_timeout(&SocketAddr::new(vip, 9), PATIENCE);
            let any: IpAddr = match vip {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let udp = UdpSocket::bind((any, 0)).expect("bind");
            udp.set_read_timeout(Some(PATIENCE)).expect("a time limit");
            udp.connect((vip, 9)).expect("connect");
            udp.send(b"hello").expect("send");
            (tcp.map(drop), udp.recv(&mut [0; 8]))
        })
        .expect("the namespace");

    let refused = ErrorKind::ConnectionRefused;
    assert_eq!(
        tcp.map_err(|error| error.kind()),
        Err(refused),
        "TCP to {vip}"
    );
    assert_eq!(
        udp.map_err(|error| error.kind()),
        Err(refused),
        "UDP to {vip}"
    );
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}

/// A connection from `one` to a server in `task`, by the service.
fn connection(pair: &Pair, task: &Guest, vip: IpAddr, own: IpAddr) -> (TcpStream, TcpStream) {
    let listener = task.namespace().run(|| TcpListener::bind((own, 0)));
    let listener = listener.expect("the namespace").expect("listen");
    let port = listener.local_addr().expect("the port").port();
    let client = pair.one.namespace();
    let client = client.run(|| TcpStream::connect_timeout(&SocketAddr::new(vip, port), PATIENCE));
    let client = client.expect("the namespace").expect("connect");
    let (server, _) = listener.accept().expect("accept");
    for stream in [&client, &server] {
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        stream.set_nodelay(true).expect("no delay");
    }
    (client, server)
}

fn pass(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"word").expect("send");
    let mut got = [0; 4];
    to.read_exact(&mut got).expect("receive");
    assert_eq!(&got, b"word");
}

#[test]
fn connections_to_a_dead_task_are_reset_and_new_ones_go_elsewhere() {
    let pair = pair(|config| config);
    let near = neighbour(&pair);
    let service = Service::of(&pair);
    let b = pair.machines()[1].address();
    service.lead_to(20, &pair.two, Some(b));
    let mut connections: Vec<_> = VIPS
        .into_iter()
        .zip(addresses(&pair.two))
        .map(|(vip, own)| connection(&pair, &pair.two, vip, own))
        .collect();
    for (client, server) in &mut connections {
        pass(client, server);
        pass(server, client);
    }

    service.lead_to(10, &near, None);
    for (client, server) in &mut connections {
        pass(client, server);
    }
    use_service(&pair, &near);
    service.end([20, 21]);

    for (client, _) in &mut connections {
        let started = Instant::now();
        client.write_all(b"word").expect("into the buffer");
        let ended = client.read(&mut [0; 4]).map_err(|error| error.kind());
        assert_eq!(ended, Err(ErrorKind::ConnectionReset));
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    }
}

#[test]
fn old_flows_are_swept_and_idle_connections_are_not() {
    let short = |config: StaticConfig| config.timeouts(&[("udp", "1s"), ("other", "1s")]);
    let pair = pair(short);
    let near = neighbour(&pair);
    let service = Service::of(&pair);
    service.lead_to(10, &near, None);
    let (mut client, mut server) = connection(&pair, &near, VIPS[0], near.v4().into());
    pass(&mut client, &mut server);
    pass(&mut server, &mut client);
    answers(Ping::new(pair.one.namespace(), VIPS[0])).expect("echoes");
    let exchange = Exchange {
        client: pair.one.namespace(),
        server: near.namespace(),
        address: near.v4().into(),
    };
    exchange.udp_by(VIPS[0], &[1]).expect("UDP");
    assert_eq!(count(&service), [2, 2, 2], "TCP, UDP, echoes");

    thread::sleep(Duration::from_secs(4));

    assert_eq!(count(&service), [2, 0, 0], "TCP, UDP, echoes");
    pass(&mut client, &mut server);
    pass(&mut server, &mut client);
    let maps = status_entries(&pair.a);
    assert_eq!(maps, Some(2));
}

/// With the timeouts that nobody chose. Half an hour is made of the times at which the flows were last heard of.
#[test]
fn connections_outlive_half_an_hour_of_silence() {
    let pair = pair(|config| config);
    let near = neighbour(&pair);
    let service = Service::of(&pair);
    let b = pair.machines()[1].address();
    let mut connections = Vec::new();
    for (number, task, host) in [(10, &near, None), (20, &pair.two, Some(b))] {
        service.lead_to(number, task, host);
        for (vip, own) in VIPS.into_iter().zip(addresses(task)) {
            let (mut client, mut server) = connection(&pair, task, vip, own);
            pass(&mut client, &mut server);
            pass(&mut server, &mut client);
            connections.push((client, server));
        }
    }
    let exchange = Exchange {
        client: pair.one.namespace(),
        server: pair.two.namespace(),
        address: pair.two.v4().into(),
    };
    exchange.udp_by(VIPS[0], &[1]).expect("UDP");
    assert_eq!(count(&service), [8, 2, 0], "TCP, UDP, echoes");

    service.age(Duration::from_mins(30));

    // When the flow of datagrams is gone, all were looked at.
    let looked = interrupt::wait_until(Duration::from_secs(30), || count(&service)[1] == 0);
    assert!(
        looked.expect("no interruption"),
        "{:?} after half an hour",
        count(&service)
    );
    assert_eq!(count(&service), [8, 0, 0], "TCP, UDP, echoes");
    for (number, (client, server)) in connections.iter_mut().enumerate() {
        let (first, second) = if number % 2 == 0 {
            (client, server)
        } else {
            (server, client)
        };
        pass(first, second);
        pass(second, first);
    }
}

#[test]
fn a_full_table_loses_its_oldest_flows() {
    let small = |config: StaticConfig| {
        let limits = Limits {
            flows: 32,
            ..Limits::default()
        };
        config.limits(limits).timeouts(&[("other", "1s")])
    };
    let pair = pair(small);
    let near = neighbour(&pair);
    let service = Service::of(&pair);
    service.lead_to(10, &near, None);
    let (mut client, mut server) = connection(&pair, &near, VIPS[0], near.v4().into());
    pass(&mut client, &mut server);
    pass(&mut server, &mut client);
    let exchange = Exchange {
        client: pair.one.namespace(),
        server: near.namespace(),
        address: near.v4().into(),
    };
    for _ in 0..20 {
        exchange.udp_by(VIPS[0], &[1]).expect("UDP");
    }

    for _ in 0..15 {
        pass(&mut client, &mut server);
        pass(&mut server, &mut client);
        thread::sleep(Duration::from_millis(200));
    }

    let stats = pair.a.overlay_json(&["stats"]).expect("the counters");
    let evicted = stats["flows_evicted"].as_u64().expect("a number");
    assert!(evicted >= 2, "{evicted}");
    let [tcp, udp, _] = count(&service);
    assert_eq!(tcp, 2, "the youngest");
    assert!((2..=28).contains(&(tcp + udp)), "{udp}");
    use_service(&pair, &near);
}

fn count(service: &Service) -> [usize; 3] {
    let flows = service.flows(map::FLOW);
    [6, 17, 1].map(|protocol| flows.iter().filter(|flow| **flow == protocol).count())
}

/// What `overlay status` says of the table of flows.
fn status_entries(host: &Host) -> Option<u64> {
    let status = host.status().expect("the status");
    let maps = status.get("maps")?.as_array()?;
    let flows = maps.iter().find(|map| map["name"] == map::FLOW)?;
    flows["entries"].as_u64()
}
