use hickory_proto::{op::Edns, rr::RecordType};
use proptest::prelude::*;

use super::*;

fn query(name: &str, kind: RecordType) -> Message {
    let mut query = Message::new(0x1234, MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    query
}

fn with_edns(mut query: Message, payload: u16) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(payload);
    query.set_edns(edns);
    query
}

fn asked(message: &Message) -> Asked {
    let Parsed::Asked(asked) = parse(&message.to_vec().unwrap()) else {
        panic!("not taken for a question")
    };
    *asked
}

fn declined(message: &[u8]) -> ResponseCode {
    let Parsed::Declined(reply) = parse(message) else {
        panic!("not declined")
    };
    Message::from_vec(&reply).unwrap().metadata.response_code
}

fn addresses(count: u32) -> Answer {
    let address = |number| Record::Address(std::net::Ipv4Addr::from_bits(number).into());
    Answer {
        exists: true,
        records: (0..count).map(address).collect(),
        additional: Vec::new(),
    }
}

#[test]
fn a_question_is_read() {
    let query = query("Web.Blue.", RecordType::A);

    let asked = asked(&query);

    assert_eq!(asked.name.as_deref(), Some("web.blue"));
    assert_eq!((asked.kind, asked.datagram), (Kind::A, 512));
    assert_eq!(asked.end, query.to_vec().unwrap().len());
}

#[test]
fn a_name_with_strange_labels_is_none_of_ours() {
    for label in [&b"a.b"[..], b"a b", b"\xff", b"\0"] {
        let mut message = query("x.", RecordType::A);
        let name = Name::from_labels([label]).unwrap();
        message.queries[0].set_name(name);

        assert_eq!(asked(&message).name, None, "{label:?}");
    }
}

#[test]
fn the_size_that_a_client_takes_is_kept_within_reason() {
    for (told, taken) in [
        (0, 512),
        (511, 512),
        (1232, 1232),
        (4096, 4096),
        (65_535, 4096),
    ] {
        let message = with_edns(query("web.", RecordType::A), told);

        assert_eq!(asked(&message).datagram, taken, "{told}");
    }
}

#[test]
fn an_answer_repeats_the_question_as_it_was_written() {
    let asked = asked(&with_edns(query("WeB.", RecordType::A), 1232));

    let reply = asked.answer(&addresses(2), 7, 1232).unwrap();
    let reply = Message::from_vec(&reply).unwrap();

    let metadata = reply.metadata;
    assert_eq!(
        (metadata.id, metadata.response_code),
        (0x1234, ResponseCode::NoError)
    );
    assert!(metadata.authoritative && metadata.recursion_desired && metadata.recursion_available);
    assert!(!metadata.truncation && reply.edns.is_some());
    assert_eq!(reply.queries[0].name().to_ascii(), "WeB.");
    assert_eq!(reply.answers.len(), 2);
    assert!(reply.answers.iter().all(|record| record.ttl == 7));
}

#[test]
fn a_name_that_is_not_there_and_one_without_addresses_differ() {
    let asked = asked(&query("web.", RecordType::AAAA));
    let code = |exists| {
        let answer = Answer {
            exists,
            ..Answer::default()
        };
        let reply = Message::from_vec(&asked.answer(&answer, 1, 512).unwrap()).unwrap();
        assert!(reply.edns.is_none() && reply.answers.is_empty());
        reply.metadata.response_code
    };

    assert_eq!(code(true), ResponseCode::NoError);
    assert_eq!(code(false), ResponseCode::NXDomain);
}

#[test]
fn an_answer_that_does_not_fit_is_cut_and_says_so() {
    for payload in [512, 1232, 4096] {
        let asked = asked(&with_edns(query("web.", RecordType::A), payload));

        let bytes = asked.answer(&addresses(500), 1, asked.datagram).unwrap();
        let reply = Message::from_vec(&bytes).unwrap();

        assert!(
            bytes.len() <= payload.into(),
            "{} in {payload}",
            bytes.len()
        );
        assert!(header::is_truncated(&bytes) && !reply.answers.is_empty());
        assert!(reply.edns.is_some(), "{payload}");
    }
}

#[test]
fn a_stream_holds_what_64_kib_hold() {
    let asked = asked(&query("web.", RecordType::A));

    let whole = asked.answer(&addresses(3400), 1, LONGEST_MESSAGE).unwrap();
    let cut = asked.answer(&addresses(5000), 1, LONGEST_MESSAGE).unwrap();

    assert_eq!(Message::from_vec(&whole).unwrap().answers.len(), 3400);
    assert!(!header::is_truncated(&whole));
    assert!(header::is_truncated(&cut) && cut.len() <= LONGEST_MESSAGE.into());
    assert!(Message::from_vec(&cut).unwrap().answers.len() > 3400);
}

#[test]
fn what_is_no_plain_question_is_declined() {
    let plain = query("web.", RecordType::A);
    let mut update = plain.clone();
    update.metadata.op_code = OpCode::Notify;
    let mut two = plain.clone();
    two.add_query(plain.queries[0].clone());
    let mut none = plain.clone();
    none.queries.clear();
    let mut chaos = plain.clone();
    chaos.queries[0].set_query_class(DNSClass::CH);
    let mut later = with_edns(plain.clone(), 512);
    later.edns.as_mut().unwrap().set_version(1);

    for (message, code) in [
        (update, ResponseCode::NotImp),
        (two, ResponseCode::FormErr),
        (none, ResponseCode::FormErr),
        (chaos, ResponseCode::Refused),
        (later, ResponseCode::BADVERS),
    ] {
        // One number has two names.
        let told = declined(&message.to_vec().unwrap());
        assert_eq!(u16::from(told), u16::from(code));
    }
    let mut pointer = plain.to_vec().unwrap();
    pointer[12] = 0xc0;
    assert_eq!(declined(&pointer), ResponseCode::FormErr);
}

#[test]
fn an_answer_gets_no_answer() {
    let mut message = query("web.", RecordType::A);
    message.metadata.message_type = MessageType::Response;

    assert!(matches!(parse(&message.to_vec().unwrap()), Parsed::Garbage));
    assert!(matches!(parse(b"\x12\x34"), Parsed::Garbage));
    assert!(matches!(parse(b""), Parsed::Garbage));
}

#[test]
fn every_beginning_of_a_question_is_survived() {
    let whole = with_edns(query("_80._tcp.web.blue.", RecordType::SRV), 1232)
        .to_vec()
        .unwrap();

    for length in 0..whole.len() {
        match parse(&whole[..length]) {
            Parsed::Garbage => assert!(length < header::LENGTH, "{length}"),
            Parsed::Declined(reply) => assert!(reply.len() <= whole.len(), "{length}"),
            Parsed::Asked(_) => panic!("{length} bytes of {} are a question", whole.len()),
        }
    }
}

#[test]
fn only_an_answer_to_the_same_question_is_one() {
    let ask = query("web.example.", RecordType::A).to_vec().unwrap();
    let end = header::question_end(&ask).unwrap();
    let answer = |name, kind| query(name, kind).to_vec().unwrap();

    assert!(header::has_question(
        &answer("WEB.example.", RecordType::A),
        &ask,
        end
    ));
    assert!(!header::has_question(
        &answer("wed.example.", RecordType::A),
        &ask,
        end
    ));
    assert!(!header::has_question(
        &answer("web.example.com.", RecordType::A),
        &ask,
        end
    ));
    // 65 and 97: `A` and `a`.
    let https = query("web.example.", RecordType::HTTPS).to_vec().unwrap();
    let other = answer("web.example.", RecordType::from(97));
    assert!(!header::has_question(&other, &https, end));
    assert!(!header::has_question(&ask[..end - 1], &ask, end));
    assert!(!header::has_question(b"", &ask, end));
}

#[test]
fn a_cut_reply_is_its_question() {
    let asked = asked(&query("web.", RecordType::A));
    let reply = asked.answer(&addresses(9), 1, 512).unwrap();

    let cut = Message::from_vec(&header::cut(reply, asked.end)).unwrap();

    assert!(cut.metadata.truncation && cut.answers.is_empty());
    assert_eq!(cut.queries[0].name().to_ascii(), "web.");
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Parsed::Asked(asked) = parse(&bytes) {
            prop_assert!(asked.end <= bytes.len());
            prop_assert!(asked.answer(&addresses(3), 1, asked.datagram).is_some());
        }
    }

    #[test]
    fn a_question_with_changed_bytes_is_survived(
        changes in prop::collection::vec((0_usize..60, any::<u8>()), 1..6),
    ) {
        let message = with_edns(query("tasks.web.blue.", RecordType::A), 1232);
        let mut bytes = message.to_vec().unwrap();
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        if let Parsed::Asked(asked) = parse(&bytes) {
            prop_assert!(asked.end <= bytes.len());
            let reply = asked.answer(&addresses(300), 1, asked.datagram);
            prop_assert!(reply.is_some_and(|reply| reply.len() <= asked.datagram.into()));
        }
    }
}
