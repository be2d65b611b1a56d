use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UdpSocket},
    task::JoinSet,
};

use super::*;
use crate::dns::wire::header;

/// What a resolver of these tests does with a question.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Says a word.
    Answer(&'static [u8]),
    /// Says it under another identifier and to another question first.
    AnswerAfterLies(&'static [u8]),
    /// Says in a datagram that it is cut, and all of it in a stream.
    AnswerInStream(&'static [u8]),
    Refuse,
    Silence,
}

/// A question for `a.`, with an identifier that nobody else uses.
fn question() -> Question {
    let message = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
    Question {
        message: message.to_vec(),
        end: message.len(),
        is_stream: false,
    }
}

/// The question as an answer, with a word behind it.
fn reply(query: &[u8], code: u8, word: &[u8]) -> Vec<u8> {
    let mut reply = query.to_vec();
    reply[2] |= 0x80;
    reply[3] |= code;
    [&reply, word].concat()
}

async fn resolver(tasks: &mut JoinSet<()>, manner: Manner) -> SocketAddr {
    let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let place = datagrams.local_addr().unwrap();
    if let Manner::AnswerInStream(word) = manner {
        // Another test's client may have the same number for TCP.
        let Ok(streams) = TcpListener::bind(place).await else {
            return Box::pin(resolver(tasks, manner)).await;
        };
        tasks.spawn(async move {
            let (mut stream, _) = streams.accept().await.unwrap();
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            let reply = reply(&query, 0, word);
            stream
                .write_u16(reply.len().try_into().unwrap())
                .await
                .unwrap();
            stream.write_all(&reply).await.unwrap();
        });
    }
    tasks.spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, from) = datagrams.recv_from(&mut buffer).await.unwrap();
            let query = &buffer[..length];
            let replies = match manner {
                Manner::Answer(word) => vec![reply(query, 0, word)],
                Manner::AnswerAfterLies(word) => {
                    let mut other_id = reply(query, 0, b"lie");
                    other_id[0] ^= 1;
                    let mut other_name = reply(query, 0, b"lie");
                    other_name[13] = b'b';
                    let no_answer = [query, b"lie"].concat();
                    vec![
                        other_id,
                        other_name,
                        no_answer,
                        b"lie".to_vec(),
                        reply(query, 0, word),
                    ]
                }
                Manner::AnswerInStream(_) => {
                    let mut cut = reply(query, 0, b"");
                    cut[2] |= 0x02;
                    vec![cut]
                }
                Manner::Refuse => vec![reply(query, 5, b"")],
                Manner::Silence => Vec::new(),
            };
            for reply in replies {
                datagrams.send_to(&reply, from).await.unwrap();
            }
        }
    });
    place
}

/// What is answered when resolvers of these manners are there.
async fn answer(manners: &[Manner], question: &Question) -> Result<Vec<u8>, Failure> {
    let mut tasks = JoinSet::new();
    let mut servers = Vec::new();
    for manner in manners {
        servers.push(resolver(&mut tasks, *manner).await);
    }
    let upstream = Upstream::new(Servers::fixed(&servers));
    let pass = upstream.admit(Ipv4Addr::LOCALHOST.into()).unwrap();
    pass.ask(question).await
}

fn word(reply: &[u8]) -> &[u8] {
    assert_eq!(header::id(reply), Some([0xab, 0xcd]));
    &reply[question().end..]
}

#[tokio::test]
async fn an_answer_comes_back_under_the_askers_identifier() {
    let reply = answer(&[Manner::Answer(b"yes")], &question())
        .await
        .unwrap();

    assert_eq!(word(&reply), b"yes");
}

#[tokio::test]
async fn only_an_answer_to_the_question_counts() {
    let reply = answer(&[Manner::AnswerAfterLies(b"truth")], &question())
        .await
        .unwrap();

    assert_eq!(word(&reply), b"truth");
}

#[tokio::test]
async fn the_next_resolver_is_asked_where_one_is_silent_refuses_or_is_gone() {
    for first in [Manner::Silence, Manner::Refuse] {
        let reply = answer(&[first, Manner::Answer(b"yes")], &question())
            .await
            .unwrap();
        assert_eq!(word(&reply), b"yes", "{first:?}");
    }
    let mut tasks = JoinSet::new();
    let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let servers = [
        gone.local_addr().unwrap(),
        resolver(&mut tasks, Manner::Answer(b"yes")).await,
    ];
    drop(gone);
    let upstream = Upstream::new(Servers::fixed(&servers));
    let reply = upstream
        .admit(Ipv4Addr::LOCALHOST.into())
        .unwrap()
        .ask(&question())
        .await
        .unwrap();
    assert_eq!(word(&reply), b"yes");
    // The one that answered is asked first from now on.
    assert_eq!(upstream.first(&upstream.servers.now()), 1);
}

#[tokio::test]
async fn a_refusal_is_passed_on_where_nobody_knows_better() {
    let reply = answer(&[Manner::Refuse, Manner::Refuse], &question())
        .await
        .unwrap();

    assert_eq!(header::code(&reply), Some(5));
}

#[tokio::test]
async fn an_asker_waits_four_seconds_at_most() {
    let started = Instant::now();

    let failed = answer(&[Manner::Silence, Manner::Silence], &question()).await;

    assert_eq!(failed, Err(Failure::Unanswered));
    assert!(started.elapsed() >= PATIENCE);
    let nobody = answer(&[], &question()).await;
    assert_eq!(nobody, Err(Failure::Unanswered));
}

#[tokio::test]
async fn a_cut_answer_is_completed_for_those_who_can_take_it() {
    let manners = [Manner::AnswerInStream(b"all of it")];
    let stream = Question {
        is_stream: true,
        ..question()
    };

    let datagram = answer(&manners, &question()).await.unwrap();
    let whole = answer(&manners, &stream).await.unwrap();

    assert!(header::is_truncated(&datagram));
    assert_eq!(word(&whole), b"all of it");
}

#[test]
fn questions_on_their_way_are_bounded_for_all_and_for_each() {
    let upstream = Upstream::new(Servers::fixed(&[]));
    let asker = |number: u8| IpAddr::from([127, 0, 0, number]);

    let mut passes: Vec<_> = (0..300).filter_map(|_| upstream.admit(asker(1))).collect();
    assert_eq!(passes.len(), IN_FLIGHT_OF_ONE);
    passes.extend(
        (2..9)
            .flat_map(|number| vec![asker(number); 200])
            .filter_map(|it| upstream.admit(it)),
    );
    assert_eq!(passes.len(), IN_FLIGHT);

    drop(passes);
    assert!(upstream.admit(asker(1)).is_some());
    assert!(upstream.askers().is_empty());
}

#[tokio::test]
async fn the_hosts_resolvers_are_followed_without_ourselves() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resolv.conf");
    let own: IpAddr = "169.254.53.53".parse().unwrap();
    let (servers, mut follower) = Servers::of_file(&path, &[own]);
    assert!(servers.now().is_empty());

    std::fs::write(&path, "nameserver 169.254.53.53\nnameserver 192.0.2.53\n").unwrap();
    follower.look();
    assert_eq!(*servers.now(), ["192.0.2.53:53".parse().unwrap()]);

    std::fs::write(&path, "nameserver 127.0.0.53\nnameserver fe80::1%1\n").unwrap();
    follower.look();
    let texts: Vec<String> = servers.now().iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["127.0.0.53:53", "[fe80::1%1]:53"]);

    std::fs::remove_file(&path).unwrap();
    follower.look();
    assert!(servers.now().is_empty());
}
