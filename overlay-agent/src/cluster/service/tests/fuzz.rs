//! Forgeries on the managers' port: of strangers, of their handshakes, and of a node that has a
//! certificate.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream as BlockingStream},
    sync::Arc,
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::{
    cluster::{
        pki::{
            JoinToken, SecretKey,
            testing::{clock, tls},
            tls::first_contact,
        },
        service::{
            Counter, Limits,
            fake::{Cluster, FakeRequest},
            testing::{Door, node},
        },
    },
    model::{
        Role,
        fuzz::{mutate, tries},
    },
};

const LEASE: &str = r#"{"id":"0000000000000000000000001","request":{"lease":"blue"}}"#;
const NETWORK: &str = r#"{"id":"0000000000000000000000002","request":{"create_network":"red"}}"#;

/// Connections that never end by themselves here.
fn patient() -> Limits {
    Limits {
        strangers_per_source: 512,
        stranger: Duration::from_hours(2),
        ..Limits::default()
    }
}

fn anonymous(cluster: &Cluster) -> Arc<ClientConfig> {
    let digest = cluster.state().world.authority.digest();
    first_contact(digest, clock()).unwrap()
}

/// The first words of somebody who knows how to begin.
fn client_hello(config: Arc<ClientConfig>, to: SocketAddr) -> Vec<u8> {
    let mut connection = ClientConnection::new(config, ServerName::from(to.ip())).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test]
async fn no_changed_handshake_gets_in_and_each_is_counted() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, patient()).await;
    let worker = node(&cluster, Role::Worker);
    let hello = client_hello(Arc::clone(tls(worker).client()), door.address);
    let mut random = SmallRng::seed_from_u64(21);

    let handshakes = tries(10);
    for number in 1..=u64::from(handshakes) {
        let mut bytes = hello.clone();
        match random.random_range(0..4) {
            0 => bytes.extend((0..40).map(|_| random.random::<u8>())),
            _ => mutate(&mut bytes, &mut random),
        }
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        let _sent = stream.write_all(&bytes).await;
        let _closed = stream.shutdown().await;
        let _read = stream.read_to_end(&mut Vec::new()).await;
        door.counted(Counter::HandshakeFailed, number).await;
    }

    assert_eq!(door.counters.get(Counter::OverLimit), 0);
    assert_eq!(
        door.counters.get(Counter::Accepted),
        u64::from(handshakes),
        "{:?}",
        door.counters.all()
    );
    assert!(cluster.state().done.is_empty());
}

/// A genuine connection of a node, of which one record is changed on the way.
fn changed_record(config: Arc<ClientConfig>, to: SocketAddr, random: &mut SmallRng) {
    let mut connection = ClientConnection::new(config, ServerName::from(to.ip())).unwrap();
    let mut stream = BlockingStream::connect(to).unwrap();
    // Small records would wait for each other's acknowledgement.
    stream.set_nodelay(true).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).unwrap();
    }
    let request = format!(
        "POST /v1/request HTTP/1.1\r\nHost: m\r\nContent-Length: {}\r\n\r\n{LEASE}",
        LEASE.len()
    );
    connection.writer().write_all(request.as_bytes()).unwrap();
    let mut record = Vec::new();
    connection.write_tls(&mut record).unwrap();
    // Not its head: a length that is too great is waited for.
    let at = random.random_range(5..record.len());
    record[at] ^= 1 << random.random_range(0..8);
    stream.write_all(&record).unwrap();
    let _read = stream.read_to_end(&mut Vec::new());
}

#[tokio::test]
async fn nothing_that_was_changed_on_the_way_is_done() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, patient()).await;
    let worker = Arc::clone(tls(node(&cluster, Role::Worker)).client());
    let (to, records) = (door.address, tries(5));

    let attacker = tokio::task::spawn_blocking(move || {
        let mut random = SmallRng::seed_from_u64(22);
        for _ in 0..records {
            changed_record(Arc::clone(&worker), to, &mut random);
        }
    });
    attacker.await.unwrap();

    // The last record of the handshake may be the one that is changed.
    let counters = [Counter::Broken, Counter::HandshakeFailed];
    door.counted_as(&counters, u64::from(records)).await;
    assert!(cluster.state().done.is_empty());
}

/// A connection that is opened again whenever the other side has closed it.
struct Talk<'a> {
    door: &'a Door,
    config: Arc<ClientConfig>,
    stream: Option<TlsStream<TcpStream>>,
}

impl<'a> Talk<'a> {
    fn new(door: &'a Door, config: Arc<ClientConfig>) -> Self {
        Self {
            door,
            config,
            stream: None,
        }
    }

    /// The status of the answer; none if there was none.
    async fn ask(&mut self, call: &str, body: &[u8]) -> Option<u16> {
        // The other side closes a connection after an answer that needed no body.
        if let Some(stream) = self.stream.take()
            && let Some(status) = self.ask_on(stream, call, body).await
        {
            return Some(status);
        }
        let stream = self.door.connect(&self.config).await;
        self.ask_on(stream, call, body).await
    }

    async fn ask_on(
        &mut self,
        mut stream: TlsStream<TcpStream>,
        call: &str,
        body: &[u8],
    ) -> Option<u16> {
        let head = format!(
            "POST {call} HTTP/1.1\r\nHost: m\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        stream.write_all(&request).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let field = |name: &str| {
            let mut lines = head.lines();
            lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
        };
        let length = field("content-length:").map_or(0, |text| text.parse().unwrap());
        stream.read_exact(&mut vec![0; length]).await.ok()?;
        if field("connection:").as_deref() != Some("close") {
            self.stream = Some(stream);
        }
        head.split(' ').nth(1)?.parse().ok()
    }
}

#[tokio::test]
async fn a_node_that_raves_gets_what_it_may_have_and_nothing_else() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, patient()).await;
    let worker = node(&cluster, Role::Worker);
    let id = worker.identity().node;
    let mut talk = Talk::new(&door, Arc::clone(tls(worker).client()));
    let csr = SecretKey::generate().unwrap().request().unwrap();
    let renewal = serde_json::json!({ "csr": csr }).to_string();
    let mut random = SmallRng::seed_from_u64(23);

    let bodies = tries(10);
    let mut answers = std::collections::BTreeMap::new();
    for _ in 0..bodies {
        let (call, genuine) = match random.random_range(0..8) {
            0 => ("/v1/raft/append", LEASE),
            1 => ("/v1/renew", renewal.as_str()),
            2 => ("/v1/join", renewal.as_str()),
            3 => ("/v1/request", NETWORK),
            _ => ("/v1/request", LEASE),
        };
        let mut body = genuine.as_bytes().to_vec();
        if random.random_range(0..8) > 0 {
            mutate(&mut body, &mut random);
        }
        let status = talk.ask(call, &body).await;
        *answers.entry((call, status)).or_insert(0) += 1;
        assert!(
            matches!(status, Some(200 | 400 | 401 | 403 | 409)),
            "{call}: {status:?}"
        );
        assert!(
            status != Some(200) || call == "/v1/request" || call == "/v1/renew",
            "{call}"
        );
    }

    let state = cluster.state();
    let may = |(asker, request): &(_, FakeRequest)| {
        *asker == id && matches!(request, FakeRequest::Lease(_))
    };
    assert!(state.done.iter().all(may), "{:?}", state.done);
    assert_eq!(state.roles.len(), 2, "nobody has joined");
    drop(state);
    let counted = |counter| door.counters.get(counter);
    assert!(
        counted(Counter::Malformed) > u64::from(bodies) / 4,
        "{answers:?}"
    );
    assert!(counted(Counter::RoleRefused) > 0, "{answers:?}");
    assert_eq!(counted(Counter::Joined), 0);
}

#[tokio::test]
async fn nobody_joins_with_a_forged_token() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, patient()).await;
    let token = cluster.state().tokens.worker.reveal();
    // One bit from the other one, in this cluster of tests.
    let of_managers = cluster.state().tokens.manager.reveal();
    let digest = cluster.state().world.authority.digest();
    let rotated = JoinToken::from_random(digest, 99).reveal();
    let mut talk = Talk::new(&door, anonymous(&cluster));
    let mut random = SmallRng::seed_from_u64(24);

    let joins = tries(5);
    for _ in 0..joins {
        let mut typed = rotated.as_bytes().to_vec();
        if random.random_range(0..4) > 0 {
            typed = token.as_bytes().to_vec();
            mutate(&mut typed, &mut random);
        }
        // What is no text would be refused as JSON.
        typed.retain(u8::is_ascii_graphic);
        let typed = String::from_utf8(typed).unwrap();
        if typed == *token || typed == *of_managers {
            continue;
        }
        let body = serde_json::json!({ "token": typed, "csr": "" }).to_string();
        let status = talk.ask("/v1/join", body.as_bytes()).await;
        assert_eq!(status, Some(401), "{typed}");
    }

    assert!(door.counters.get(Counter::TokenRefused) > u64::from(joins) * 9 / 10);
    assert_eq!(door.counters.get(Counter::Joined), 0);
    let one = door
        .ask(&anonymous(&cluster), "POST /v1/request", LEASE)
        .await;
    assert_eq!(one.0, 401, "{}", one.1);
}
