use std::net::Ipv4Addr;

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RecordType},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::*;
use crate::dns::{
    Figures, Servers, Zone,
    testing::{BLUE, VAULT, claim, desk, put, zone},
};

const SOON: Duration = Duration::from_secs(20);

/// A running server on a port of its own.
struct Running {
    desk: Arc<Desk>,
    place: SocketAddr,
    _tasks: JoinSet<io::Error>,
}

impl Running {
    async fn start(zone: Zone, networks: &[u32], servers: Servers) -> Self {
        let desk = Arc::new(desk(zone, networks, servers));
        let (datagrams, streams) = loop {
            let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            // Another test's client may have the same number for TCP.
            if let Ok(streams) = TcpListener::bind(datagrams.local_addr().unwrap()).await {
                break (datagrams, streams);
            }
        };
        let place = datagrams.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(datagrams::serve(Arc::clone(&desk), datagrams));
        tasks.spawn(streams::serve(Arc::clone(&desk), streams));
        Self {
            desk,
            place,
            _tasks: tasks,
        }
    }

    async fn client(&self) -> UdpSocket {
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.connect(self.place).await.unwrap();
        client
    }

    async fn ask(&self, query: &[u8]) -> Message {
        let client = self.client().await;
        client.send(query).await.unwrap();
        let mut reply = vec![0; 65_535];
        let length = timeout(SOON, client.recv(&mut reply))
            .await
            .unwrap()
            .unwrap();
        Message::from_vec(&reply[..length]).unwrap()
    }

    fn figures(&self) -> Figures {
        self.desk.counters.figures()
    }
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut query = Message::new(7, MessageType::Query, OpCode::Query);
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    query
}

fn bytes(name: &str, kind: RecordType) -> Vec<u8> {
    query(name, kind).to_vec().unwrap()
}

fn data(reply: &Message) -> Vec<String> {
    let mut data: Vec<String> = reply.answers.iter().map(|it| it.data.to_string()).collect();
    data.sort();
    data
}

async fn over(stream: &mut TcpStream, query: &[u8]) -> Vec<u8> {
    stream
        .write_u16(query.len().try_into().unwrap())
        .await
        .unwrap();
    stream.write_all(query).await.unwrap();
    let length = timeout(SOON, stream.read_u16()).await.unwrap().unwrap();
    let mut reply = vec![0; length.into()];
    stream.read_exact(&mut reply).await.unwrap();
    reply
}

/// `many`, with more addresses than any datagram holds.
fn crowd(count: u32) -> Zone {
    let mut zone = zone();
    for number in 0..count {
        let address = Ipv4Addr::from_bits(0x0a40_0000 + number).to_string();
        put(&mut zone, &claim(BLUE, "many", &address));
    }
    zone
}

#[tokio::test]
async fn names_are_answered_in_datagrams() {
    let server = Running::start(zone(), &[BLUE], Servers::fixed(&[])).await;

    let reply = server.ask(&bytes("Tasks.Web.", RecordType::A)).await;
    assert_eq!(data(&reply), ["10.1.0.11", "10.1.0.12"]);
    let reply = server
        .ask(&bytes("2.0.1.10.in-addr.arpa.", RecordType::PTR))
        .await;
    assert_eq!(data(&reply), ["Box.blue."]);
    let reply = server
        .ask(&bytes("_80._tcp.tasks.web.", RecordType::SRV))
        .await;
    assert_eq!(data(&reply), ["0 0 80 web.1.blue.", "0 0 80 web.2.blue."]);
    assert_eq!(reply.additionals.len(), 3);
    let reply = server.ask(&bytes("box.", RecordType::MX)).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
    assert!(reply.answers.is_empty());

    let expected = Figures {
        queries: 4,
        answered: 4,
        ..Figures::default()
    };
    assert_eq!(server.figures(), expected);
}

#[tokio::test]
async fn each_of_several_addresses_comes_first_at_times() {
    let server = Running::start(zone(), &[BLUE], Servers::fixed(&[])).await;

    let mut first = std::collections::BTreeSet::new();
    for _ in 0..64 {
        let reply = server.ask(&bytes("twin.", RecordType::A)).await;
        first.insert(reply.answers[0].data.to_string());
    }

    assert_eq!(first.len(), 2);
}

#[tokio::test]
async fn strangers_and_the_unforwardable_are_refused() {
    let stranger = Running::start(zone(), &[BLUE], Servers::fixed(&[])).await;
    let client = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), 0))
        .await
        .unwrap();
    client
        .send_to(&bytes("box.", RecordType::A), stranger.place)
        .await
        .unwrap();
    let mut reply = [0; 512];
    let length = timeout(SOON, client.recv(&mut reply))
        .await
        .unwrap()
        .unwrap();
    let reply = Message::from_vec(&reply[..length]).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
    assert!(reply.answers.is_empty());
    assert_eq!(stranger.figures().refused, 1);

    let internal = Running::start(zone(), &[VAULT], Servers::fixed(&[])).await;
    let reply = internal.ask(&bytes("example.com.", RecordType::A)).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
}

#[tokio::test]
async fn other_names_are_asked_of_others() {
    let elsewhere = Running::start(zone(), &[BLUE], Servers::fixed(&[])).await;
    let server = Running::start(zone(), &[BLUE], Servers::fixed(&[elsewhere.place])).await;

    // The other one does not know it either, and has nobody to ask.
    let reply = server.ask(&bytes("example.com.", RecordType::A)).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);

    let figures = server.figures();
    assert_eq!((figures.forwarded, figures.unanswered), (1, 0));
    let figures = elsewhere.figures();
    assert_eq!((figures.forwarded, figures.unanswered), (1, 1));
}

#[tokio::test]
async fn what_no_datagram_holds_comes_in_a_stream() {
    let server = Running::start(crowd(3000), &[BLUE], Servers::fixed(&[])).await;

    let plain = server.ask(&bytes("many.", RecordType::A)).await;
    assert!(plain.metadata.truncation && plain.answers.len() < 32);
    let mut large = query("many.", RecordType::A);
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    large.set_edns(edns);
    let large = server.ask(&large.to_vec().unwrap()).await;
    assert!(large.metadata.truncation && large.answers.len() > 200);

    let mut stream = TcpStream::connect(server.place).await.unwrap();
    let whole = over(&mut stream, &bytes("many.", RecordType::A)).await;
    assert!(whole.len() > 59_000, "{}", whole.len());
    let whole = Message::from_vec(&whole).unwrap();
    assert_eq!(
        (whole.answers.len(), whole.metadata.truncation),
        (3000, false)
    );
    // And one more on the same connection.
    let reply = over(&mut stream, &bytes("box.", RecordType::A)).await;
    assert_eq!(data(&Message::from_vec(&reply).unwrap()), ["10.1.0.2"]);
}

#[tokio::test]
async fn garbage_gets_nothing_and_harms_nobody() {
    let server = Running::start(zone(), &[BLUE], Servers::fixed(&[])).await;
    let client = server.client().await;
    for garbage in [&b""[..], b"x", &[0xff; 11], &[0xff; 1000]] {
        client.send(garbage).await.unwrap();
    }
    let mut stream = TcpStream::connect(server.place).await.unwrap();
    stream.write_all(b"\x00\x03xyz").await.unwrap();
    let mut rest = Vec::new();
    timeout(SOON, stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.is_empty());

    let reply = server.ask(&bytes("box.", RecordType::A)).await;

    assert_eq!(data(&reply), ["10.1.0.2"]);
    assert_eq!(server.figures().malformed, 5);
}

#[tokio::test]
async fn one_container_has_some_connections_and_no_more() {
    let server = Running::start(zone(), &[BLUE], Servers::fixed(&[])).await;

    let mut streams = Vec::new();
    for _ in 0..33 {
        streams.push(TcpStream::connect(server.place).await.unwrap());
    }

    let reply = over(&mut streams[0], &bytes("box.", RecordType::A)).await;
    assert_eq!(data(&Message::from_vec(&reply).unwrap()), ["10.1.0.2"]);
    let mut last = streams.pop().unwrap();
    let mut rest = [0; 1];
    let ended = timeout(SOON, last.read(&mut rest)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert_eq!(server.figures().dropped, 1);
}

/// Ten thousand questions by one client, a hundred at a time.
#[tokio::test]
async fn of_many_questions_none_is_lost() {
    const ROUNDS: u16 = 100;
    const AT_ONCE: u16 = 100;
    let server = Running::start(zone(), &[BLUE], Servers::fixed(&[])).await;
    let client = server.client().await;
    let mut question = bytes("web.", RecordType::A);
    let mut reply = [0; 512];

    for round in 0..ROUNDS {
        let numbers = round * AT_ONCE..(round + 1) * AT_ONCE;
        for number in numbers.clone() {
            question[..2].copy_from_slice(&number.to_be_bytes());
            client.send(&question).await.unwrap();
        }
        let mut answered = std::collections::BTreeSet::new();
        while answered.len() < AT_ONCE.into() {
            let length = timeout(SOON, client.recv(&mut reply))
                .await
                .unwrap()
                .unwrap();
            assert!(length > 2);
            answered.insert(u16::from_be_bytes([reply[0], reply[1]]));
        }
        assert!(answered.into_iter().eq(numbers));
    }

    let expected = u64::from(ROUNDS) * u64::from(AT_ONCE);
    assert_eq!(server.figures().answered, expected);
}

#[tokio::test]
async fn an_address_that_is_taken_or_not_there_yet_is_told_and_tried_again() {
    let holder = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = holder.local_addr().unwrap().port();
    let (doors, mut news) = watch::channel(Doors::new());
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let nowhere: IpAddr = "192.0.2.53".parse().unwrap();
    let desk = Arc::new(desk(zone(), &[BLUE], Servers::fixed(&[])));
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(desk, vec![here, nowhere], port, doors));

    let all = timeout(SOON, news.wait_for(|doors| doors.len() == 2))
        .await
        .unwrap()
        .unwrap()
        .clone();
    let reason = |address| all[&address].clone().unwrap();
    assert!(reason(here).contains("in use"), "{}", reason(here));
    assert!(
        reason(nowhere).contains("on no device"),
        "{}",
        reason(nowhere)
    );

    drop(holder);
    let opened = news.wait_for(|doors| doors.get(&here) == Some(&None));
    timeout(SOON, opened).await.unwrap().unwrap();
}
