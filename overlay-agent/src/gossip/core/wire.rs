//! Messages as bytes: a version, a kind, then items of that kind up to the end, each in postcard.
//!
//! Nothing here trusts a length: items are read one by one out of what is there.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    FRAME, Refused,
    identity::{Life, short},
    topic::{Key, Topic},
};
use crate::model::NodeId;

/// What this release speaks.
const VERSION: u8 = 1;

/// Bytes before the items.
pub(super) const PREFIX: usize = 2;

/// Longest value of a row, bytes.
pub(super) const VALUE: usize = 512;

/// What a message is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// One packet of the membership protocol, as it is.
    Membership = 1,
    /// News: [`Span`]s.
    News = 2,
    /// Questions for parts of streams: [`Pull`]s.
    Pulls = 3,
    /// What was asked for: [`Span`]s.
    Answer = 4,
    /// Fingerprints: one [`Digest`] of the members and one of each topic.
    Probe = 5,
    /// The sender goes: one `u64`, its generation.
    Leaving = 6,
    /// Whether the receiver is there; empty.
    Question = 7,
    /// The answer to that; empty.
    Here = 8,
    /// A word from one agent to another, which the gossip only carries: bytes.
    Aside = 9,
    /// First of an exchange: as a probe.
    Hello = 16,
    /// Members, of any state.
    Members = 17,
    /// How far the sender knows each stream: [`Pull`]s.
    Heads = 18,
    /// Parts of streams: [`Span`]s.
    Spans = 19,
    /// The other side's turn.
    Turn = 20,
    /// The exchange is over.
    Done = 21,
}

impl Kind {
    const ALL: [Self; 15] = [
        Self::Membership,
        Self::News,
        Self::Pulls,
        Self::Answer,
        Self::Probe,
        Self::Leaving,
        Self::Question,
        Self::Here,
        Self::Aside,
        Self::Hello,
        Self::Members,
        Self::Heads,
        Self::Spans,
        Self::Turn,
        Self::Done,
    ];
}

/// How far a stream is known without a gap.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize,
)]
pub(super) struct Head {
    /// The run of the owner.
    pub(super) epoch: u64,
    /// Its last change of this stream that is known.
    pub(super) seq: u64,
}

/// Changes of one stream: everything between two of its positions.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Span<'a> {
    /// Which stream.
    pub(super) topic: Topic,
    /// Whose.
    #[serde(with = "short")]
    pub(super) owner: NodeId,
    /// The run of the owner.
    pub(super) epoch: u64,
    /// From this position on the rows of older epochs are void.
    pub(super) base: u64,
    /// All changes after this position …
    pub(super) after: u64,
    /// … up to this one are in `rows`, but for those that later changes have replaced.
    pub(super) upto: u64,
    /// How `rows` is meant.
    pub(super) manner: Manner,
    /// The changed rows.
    #[serde(borrow)]
    pub(super) rows: Vec<ToldRow<'a>>,
}

/// How a span came about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) enum Manner {
    /// To be passed on.
    Epidemic,
    /// The owner itself has told everybody.
    Direct,
    /// Rows in this range that are not listed are gone, and nobody remembers their withdrawal.
    Whole,
}

/// A row as it is told.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct ToldRow<'a> {
    /// What it is about.
    pub(super) key: Key,
    /// Position of its last change.
    pub(super) seq: u64,
    /// Its content.
    #[serde(borrow)]
    pub(super) content: Told<'a>,
}

/// Content of a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) enum Told<'a> {
    /// An address is claimed.
    Claimed {
        /// Position of the claim in the managers' log.
        index: u64,
        /// The rest of the claim.
        value: &'a [u8],
    },
    /// A network is attended.
    Attending,
    /// No longer.
    Withdrawn {
        /// Of a network: the last position of the owner's stream in it.
        last: u64,
    },
}

/// How far the sender knows a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Pull {
    /// Which stream.
    pub(super) topic: Topic,
    /// Whose.
    #[serde(with = "short")]
    pub(super) owner: NodeId,
    /// How far.
    pub(super) have: Head,
}

/// A fingerprint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Digest {
    /// Of what; `None`: of the members.
    pub(super) of: Option<Topic>,
    /// The fingerprint.
    pub(super) sum: u64,
}

/// Member as the membership protocol tells it.
pub(super) type ToldMember = foca::Member<Life>;

/// A message in the making.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts a message.
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            bytes: vec![VERSION, kind as u8],
        }
    }

    /// Adds bytes that are already encoded.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Adds an item.
    pub(super) fn item(self, item: &impl Serialize) -> Self {
        self.raw(&encoded(item))
    }

    /// The message.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// One item.
pub(super) fn encoded(item: &impl Serialize) -> Vec<u8> {
    // Writing to memory cannot fail for our own types: none has a length that is not known.
    postcard::to_stdvec(item).unwrap_or_default()
}

/// Packs encoded items into messages of at most `limit` bytes. A larger item gets one of its own.
pub(super) fn packed(
    kind: Kind,
    items: impl IntoIterator<Item = Vec<u8>>,
    limit: usize,
) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let mut writer = Writer::new(kind);
    for item in items {
        let is_empty = writer.bytes.len() == PREFIX;
        if !is_empty && writer.bytes.len() + item.len() > limit {
            messages.push(std::mem::replace(&mut writer, Writer::new(kind)).finish());
        }
        writer = writer.raw(&item);
    }
    if writer.bytes.len() > PREFIX {
        messages.push(writer.finish());
    }
    messages
}

/// Splits a message into its kind and its items.
pub(super) fn opened(message: &[u8]) -> Result<(Kind, &[u8]), Refused> {
    let [version, kind, items @ ..] = message else {
        return Err(Refused::Malformed);
    };
    if *version != VERSION {
        return Err(Refused::Version { version: *version });
    }
    if message.len() > FRAME + PREFIX {
        return Err(Refused::Malformed);
    }
    let kind = Kind::ALL
        .into_iter()
        .find(|known| *known as u8 == *kind)
        .ok_or(Refused::Malformed)?;
    Ok((kind, items))
}

/// Reads the items of a message.
pub(super) fn items<'a, T: Deserialize<'a>>(mut bytes: &'a [u8]) -> Result<Vec<T>, Refused> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (item, rest) =
            postcard::take_from_bytes(bytes).map_err(|_not_ours| Refused::Malformed)?;
        if rest.len() == bytes.len() {
            return Err(Refused::Malformed);
        }
        items.push(item);
        bytes = rest;
    }
    Ok(items)
}

/// Reads the only item of a message.
pub(super) fn single<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    match postcard::take_from_bytes(bytes) {
        Ok((item, [])) => Ok(item),
        Ok(_) | Err(_) => Err(Refused::Malformed),
    }
}

/// Reads spans, and refuses those that contradict themselves.
pub(super) fn spans(bytes: &[u8]) -> Result<Vec<Span<'_>>, Refused> {
    let spans: Vec<Span<'_>> = items(bytes)?;
    if spans.iter().all(is_sound) {
        Ok(spans)
    } else {
        Err(Refused::Malformed)
    }
}

fn is_sound(span: &Span<'_>) -> bool {
    let in_range = |row: &ToldRow<'_>| row.seq > span.after && row.seq <= span.upto;
    span.epoch > 0
        && span.after <= span.upto
        && span
            .rows
            .iter()
            .all(|row| in_range(row) && row.key.fits(span.topic) && content_fits(span.topic, row))
}

fn content_fits(topic: Topic, row: &ToldRow<'_>) -> bool {
    match (topic, &row.content) {
        (_, Told::Withdrawn { .. }) | (Topic::Attendance, Told::Attending) => true,
        (Topic::Network(_), Told::Claimed { value, .. }) => {
            value.len() <= VALUE && super::value::Value::read(value).is_some()
        }
        (Topic::Attendance, Told::Claimed { .. }) | (Topic::Network(_), Told::Attending) => false,
    }
}

/// Bytes of a row in a span, at most.
pub(super) fn row_size(row: &ToldRow<'_>) -> usize {
    let content = match row.content {
        Told::Claimed { index, value } => 1 + varint(index) + 2 + value.len(),
        Told::Attending => 1,
        Told::Withdrawn { last } => 1 + varint(last),
    };
    row.key.size() + varint(row.seq) + content
}

/// Bytes of a span without its rows, at most.
pub(super) const SPAN_SIZE: usize = 5 + 16 + 4 * 10 + 1 + 3;

fn varint(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}
