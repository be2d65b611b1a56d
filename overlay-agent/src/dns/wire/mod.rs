//! Messages as they are sent: what is asked in them, and how answers are put.

pub(super) mod header;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{
        DNSClass, Name, RData, RecordType,
        rdata::{A, AAAA, PTR, SRV},
    },
    serialize::binary::{BinEncodable as _, BinEncoder},
};

use super::lookup::{Answer, Kind, Record};

/// What a datagram may hold where nothing is said (RFC 1035, 4.2.1).
const USUAL_DATAGRAM: u16 = 512;

/// The longest datagram that is sent, whatever a client says that it can take.
const LONGEST_DATAGRAM: u16 = 4096;

/// The longest message in a stream.
pub(super) const LONGEST_MESSAGE: u16 = u16::MAX;

/// A question that can be answered.
#[derive(Debug)]
pub(super) struct Asked {
    /// The name in lower case without its final dot; none if nothing of ours can be called so.
    pub(super) name: Option<String>,
    pub(super) kind: Kind,
    /// Where the question section ends.
    pub(super) end: usize,
    /// The longest datagram that the client takes.
    pub(super) datagram: u16,
    id: u16,
    query: Query,
    wants_recursion: bool,
    has_edns: bool,
}

/// What came.
#[derive(Debug)]
pub(super) enum Parsed {
    /// A question.
    Asked(Box<Asked>),
    /// Something that is understood so far that it can be declined.
    Declined(Vec<u8>),
    /// Nothing that anybody waits for an answer to.
    Garbage,
}

/// Reads a message.
pub(super) fn parse(message: &[u8]) -> Parsed {
    let (Some(id), true) = (header::id(message), message.len() >= header::LENGTH) else {
        return Parsed::Garbage;
    };
    if header::is_response(message) {
        return Parsed::Garbage;
    }
    let id = u16::from_be_bytes(id);
    match understand(message, id) {
        Ok(asked) => Parsed::Asked(Box::new(asked)),
        Err(reply) => reply
            .bytes(USUAL_DATAGRAM)
            .map_or(Parsed::Garbage, Parsed::Declined),
    }
}

fn understand(message: &[u8], id: u16) -> Result<Asked, Reply> {
    let declined = |code| Reply {
        message: Box::new(Message::error_msg(id, OpCode::Query, code)),
        has_edns: false,
    };
    let read = Message::from_vec(message).map_err(|_malformed| declined(ResponseCode::FormErr))?;
    if read.metadata.op_code != OpCode::Query || read.metadata.message_type != MessageType::Query {
        return Err(declined(ResponseCode::NotImp));
    }
    let end = header::question_end(message).ok_or_else(|| declined(ResponseCode::FormErr))?;
    let query = read.queries.first().cloned();
    let query = query.ok_or_else(|| declined(ResponseCode::FormErr))?;
    let asked = Asked {
        name: text(query.name()),
        kind: kind(query.query_type()),
        end,
        datagram: read.edns.as_ref().map_or(USUAL_DATAGRAM, |edns| {
            edns.max_payload().clamp(USUAL_DATAGRAM, LONGEST_DATAGRAM)
        }),
        id,
        wants_recursion: read.metadata.recursion_desired,
        has_edns: read.edns.is_some(),
        query,
    };
    if read.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Err(asked.reply(ResponseCode::BADVERS));
    }
    if asked.query.query_class() != DNSClass::IN {
        return Err(asked.reply(ResponseCode::Refused));
    }
    Ok(asked)
}

fn kind(asked: RecordType) -> Kind {
    const KINDS: [(RecordType, Kind); 5] = [
        (RecordType::A, Kind::A),
        (RecordType::AAAA, Kind::Aaaa),
        (RecordType::ANY, Kind::Any),
        (RecordType::PTR, Kind::Ptr),
        (RecordType::SRV, Kind::Srv),
    ];
    let known = KINDS.iter().find(|(known, _)| *known == asked);
    known.map_or(Kind::Other, |(_, kind)| *kind)
}

/// A name as text, if its labels have no dots and nothing that is no letter, digit or sign.
fn text(name: &Name) -> Option<String> {
    let mut text = String::new();
    for label in name {
        if !label
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'.')
        {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        let letters = label
            .iter()
            .map(|byte| char::from(byte.to_ascii_lowercase()));
        text.extend(letters);
    }
    Some(text)
}

impl Asked {
    fn reply(&self, code: ResponseCode) -> Reply {
        let mut reply = Message::error_msg(self.id, OpCode::Query, code);
        reply.metadata.recursion_desired = self.wants_recursion;
        reply.metadata.recursion_available = true;
        reply.add_query(self.query.clone());
        Reply {
            message: Box::new(reply),
            has_edns: self.has_edns,
        }
    }

    /// The message that tells what is known.
    pub(super) fn answer(&self, answer: &Answer, ttl: u32, limit: u16) -> Option<Vec<u8>> {
        let code = if answer.exists {
            ResponseCode::NoError
        } else {
            ResponseCode::NXDomain
        };
        let mut reply = self.reply(code);
        let message = &mut reply.message;
        message.metadata.authoritative = true;
        let owner = self.query.name();
        let records = answer.records.iter().filter_map(|record| {
            let data = match record {
                Record::Address(address) => data(*address),
                Record::Pointer(name) => RData::PTR(PTR(host(name)?)),
                Record::Service { port, host: name } => {
                    RData::SRV(SRV::new(0, 0, *port, host(name)?))
                }
            };
            Some(hickory_proto::rr::Record::from_rdata(
                owner.clone(),
                ttl,
                data,
            ))
        });
        message.add_answers(records);
        let more = answer.additional.iter().filter_map(|(name, address)| {
            let data = data(*address);
            Some(hickory_proto::rr::Record::from_rdata(
                host(name)?,
                ttl,
                data,
            ))
        });
        message.add_additionals(more);
        reply.bytes(limit)
    }

    /// The message that says no.
    pub(super) fn refusal(&self) -> Option<Vec<u8>> {
        self.reply(ResponseCode::Refused).bytes(USUAL_DATAGRAM)
    }

    /// The message that says that it did not work.
    pub(super) fn failure(&self) -> Option<Vec<u8>> {
        self.reply(ResponseCode::ServFail).bytes(USUAL_DATAGRAM)
    }
}

fn data(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    }
}

fn host(name: &str) -> Option<Name> {
    let mut name = Name::from_labels(name.split('.').map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// A message on its way out.
struct Reply {
    message: Box<Message>,
    has_edns: bool,
}

impl Reply {
    /// Its bytes, cut where they reach the limit. The OPT record stays even then (RFC 6891, 7), for which
    /// reason it is not left to the encoder: that one has no room for it in a message that it cuts.
    fn bytes(&self, limit: u16) -> Option<Vec<u8>> {
        let opt = self.opt();
        let mut bytes = Vec::with_capacity(USUAL_DATAGRAM.into());
        let mut encoder = BinEncoder::new(&mut bytes);
        encoder.set_max_size(limit.checked_sub(opt.len().try_into().ok()?)?);
        self.message.emit(&mut encoder).ok()?;
        // Of a record that did not fit, a part is still there.
        encoder.trim();
        if !opt.is_empty() {
            bytes.extend(opt);
            header::count_additional(&mut bytes)?;
        }
        Some(bytes)
    }

    /// The OPT record of an answer to a question that had one.
    fn opt(&self) -> Vec<u8> {
        const KIND: u16 = 41;
        if !self.has_edns {
            return Vec::new();
        }
        let mut opt = vec![0];
        opt.extend(KIND.to_be_bytes());
        opt.extend(LONGEST_DATAGRAM.to_be_bytes());
        // The code's upper part, the version, and no flags; then no options.
        opt.extend([self.message.metadata.response_code.high(), 0, 0, 0, 0, 0]);
        opt
    }
}
