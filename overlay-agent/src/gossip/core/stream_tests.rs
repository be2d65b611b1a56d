//! What streams keep to.

use std::time::Duration;

use super::{
    stream::{Applied, Content, Stream},
    topic::{Key, Topic},
    wire::{self, Head, Manner, Span},
};
use crate::model::NodeId;

fn network() -> Topic {
    Topic::Network(4096.try_into().unwrap())
}

fn owner() -> NodeId {
    NodeId::from_random(1)
}

fn key(last: u8) -> Key {
    Key::Address(std::net::Ipv4Addr::new(10, 0, 0, last).into())
}

fn claimed(index: u64) -> Content {
    Content::Claimed {
        index,
        value: [].into(),
    }
}

fn began(epoch: u64, addresses: u8) -> Stream {
    Stream::begun(epoch, (1..=addresses).map(|last| (key(last), claimed(1))))
}

/// Tells everything that `to` lacks, in parts of one row.
fn tell(from: &Stream, to: &mut Stream) -> Vec<Key> {
    let Some(cursor) = from.cursor(to.head) else {
        return Vec::new();
    };
    let mut plan = from.plan(cursor);
    let mut changed = Vec::new();
    while !plan.is_done {
        let part = from.part(network(), owner(), &mut plan, 0);
        changed.extend(to.apply(&part, Duration::ZERO).changed);
    }
    changed
}

fn live(stream: &Stream) -> Vec<Key> {
    stream.live().map(|(key, _)| key).collect()
}

fn news(from: &Stream, after: u64, upto: u64, keys: &[Key]) -> Span<'static> {
    let span = from.retold(network(), owner(), (after, upto), Manner::Direct, keys);
    let bytes: &'static [u8] = wire::encoded(&span).leak();
    postcard::from_bytes(bytes).unwrap()
}

#[test]
fn only_what_is_missing_is_told() {
    let mut own = began(5, 3);
    let mut known = Stream::default();
    tell(&own, &mut known);
    own.put(key(9), claimed(2));

    let changed = tell(&own, &mut known);

    assert_eq!(changed, [key(9)]);
    assert_eq!(known.head, own.head);
    assert!(own.cursor(known.head).is_none());
}

#[test]
fn what_comes_in_disorder_is_known_without_a_gap_in_the_end() {
    let mut own = began(5, 1);
    let mut known = Stream::default();
    tell(&own, &mut known);
    for last in 2..=4 {
        own.put(key(last), claimed(1));
    }

    let last = known.apply(&news(&own, 3, 4, &[key(4)]), Duration::ZERO);
    let middle = known.apply(&news(&own, 2, 3, &[key(3)]), Duration::ZERO);
    assert!(last.is_gap && middle.is_gap && middle.is_news);
    assert_eq!(known.head.seq, 1);
    let first = known.apply(&news(&own, 1, 2, &[key(2)]), Duration::ZERO);

    assert!(!first.is_gap);
    assert_eq!((known.head, live(&known)), (own.head, live(&own)));
}

#[test]
fn late_news_does_not_bring_back_what_is_withdrawn() {
    let mut own = began(5, 1);
    let mut known = Stream::default();
    own.put(key(7), claimed(1));
    let late = news(&own, 1, 2, &[key(7)]);
    own.put(key(7), Content::withdrawn(0, Duration::ZERO));
    tell(&own, &mut known);
    known.reap(1);

    let applied = known.apply(&late, Duration::ZERO);

    assert_eq!(applied, Applied::default());
    assert_eq!(live(&known), [key(1)]);
}

#[test]
fn who_missed_a_withdrawal_that_is_forgotten_is_told_the_whole() {
    let mut own = began(5, 3);
    let mut known = Stream::default();
    tell(&own, &mut known);
    own.put(key(2), Content::withdrawn(0, Duration::ZERO));
    own.reap(1);

    let changed = tell(&own, &mut known);

    assert_eq!(changed, [key(2)]);
    assert_eq!(live(&known), [key(1), key(3)]);
}

#[test]
fn rows_of_an_earlier_run_stay_until_the_new_one_is_known_and_then_go() {
    let before = began(5, 3);
    let mut known = Stream::default();
    tell(&before, &mut known);
    let after = Stream::begun(6, [1, 2].map(|last| (key(last), claimed(1))));
    let mut plan = after.plan(after.cursor(known.head).unwrap());

    let first = after.part(network(), owner(), &mut plan, 0);
    assert_eq!(known.apply(&first, Duration::ZERO).changed, []);
    assert_eq!(live(&known).len(), 3);
    let second = after.part(network(), owner(), &mut plan, 0);
    let changed = known.apply(&second, Duration::ZERO).changed;

    assert_eq!(changed, [key(3)]);
    assert_eq!(live(&known), [key(1), key(2)]);
}

#[test]
fn a_finished_stream_is_empty_and_stays_so() {
    let mut own = began(5, 2);
    let mut known = Stream::default();
    tell(&own, &mut known);
    own.put(key(3), claimed(1));
    let late = news(&own, 2, 3, &[key(3)]);

    let applied = known.finish(Head { epoch: 5, seq: 6 });

    assert_eq!(applied.changed, [key(1), key(2)]);
    assert_eq!(known.apply(&late, Duration::ZERO), Applied::default());
    assert_eq!(live(&known), []);
}
