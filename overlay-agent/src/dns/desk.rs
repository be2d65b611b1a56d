//! Where questions come in and answers go out, whatever carries them.

use std::{net::IpAddr, sync::Arc};

use rand::seq::SliceRandom as _;
use tokio::sync::watch;

use super::{
    counters::Counters,
    lookup::{Answer, Asker, Meaning, lookup},
    upstream::{Failure, Question, Servers, Upstream},
    wire::{self, Asked, LONGEST_MESSAGE, Parsed, header},
    zone::Zone,
};

/// Who is behind an address.
pub trait Askers: std::fmt::Debug + Send + Sync + 'static {
    /// The container that sends from this address; none if it is no container's.
    fn asker(&self, source: IpAddr) -> Option<Asker>;
}

/// How a message is carried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Carrier {
    Datagram,
    Stream,
}

/// What follows from a message.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// A reply, at once.
    Reply(Vec<u8>),
    /// Others have to be asked.
    Ask(Box<Errand>),
}

/// A question that others have to be asked.
#[derive(Debug)]
pub(super) struct Errand {
    asked: Asked,
    source: IpAddr,
    question: Question,
    limit: u16,
}

/// Answers questions.
#[derive(Debug)]
pub struct Desk {
    zone: watch::Receiver<Arc<Zone>>,
    askers: Arc<dyn Askers>,
    upstream: Upstream,
    ttl: u32,
    pub(super) counters: Arc<Counters>,
}

impl Desk {
    /// Answers from a zone, to these askers, and has these servers asked for the rest.
    pub fn new(
        zone: watch::Receiver<Arc<Zone>>,
        askers: Arc<dyn Askers>,
        servers: Servers,
        ttl: u32,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            zone,
            askers,
            upstream: Upstream::new(servers),
            ttl,
            counters,
        }
    }

    /// Looks at a message.
    pub(super) fn take(&self, message: &[u8], source: IpAddr, carrier: Carrier) -> Step {
        let counters = &self.counters;
        counters.queries.add();
        let asked = match wire::parse(message) {
            Parsed::Asked(asked) => *asked,
            Parsed::Declined(reply) => {
                counters.malformed.add();
                return Step::Reply(reply);
            }
            Parsed::Garbage => {
                counters.malformed.add();
                return Step::Nothing;
            }
        };
        let Some(who) = self.askers.asker(source) else {
            return self.refuse(&asked);
        };
        let zone = Arc::clone(&self.zone.borrow());
        let meaning = match &asked.name {
            Some(name) => lookup(&zone, &who, name, asked.kind),
            None => lookup(&zone, &who, "", asked.kind),
        };
        let limit = match carrier {
            Carrier::Datagram => asked.datagram,
            Carrier::Stream => LONGEST_MESSAGE,
        };
        match meaning {
            Meaning::Ours(answer) => self.answer(&asked, answer, limit),
            Meaning::Refused => self.refuse(&asked),
            Meaning::Forward => Step::Ask(Box::new(Errand {
                question: Question {
                    message: message.to_vec(),
                    end: asked.end,
                    is_stream: carrier == Carrier::Stream,
                },
                asked,
                source,
                limit,
            })),
        }
    }

    fn answer(&self, asked: &Asked, mut answer: Answer, limit: u16) -> Step {
        if answer.records.len() > 1 {
            // Whoever takes the first one takes each as often as any other.
            answer.records.shuffle(&mut rand::rng());
        }
        let Some(reply) = asked.answer(&answer, self.ttl, limit) else {
            self.counters.dropped.add();
            return asked.failure().map_or(Step::Nothing, Step::Reply);
        };
        self.counters.answered.add();
        if header::is_truncated(&reply) {
            self.counters.truncated.add();
        }
        Step::Reply(reply)
    }

    fn refuse(&self, asked: &Asked) -> Step {
        self.counters.refused.add();
        asked.refusal().map_or(Step::Nothing, Step::Reply)
    }

    /// Has others asked; returns what to reply.
    pub(super) async fn run(&self, errand: Errand) -> Option<Vec<u8>> {
        let Errand {
            asked,
            source,
            question,
            limit,
        } = errand;
        let Some(pass) = self.upstream.admit(source) else {
            self.counters.overrun.add();
            return asked.failure();
        };
        self.counters.forwarded.add();
        match pass.ask(&question).await {
            Ok(reply) if reply.len() > usize::from(limit) => {
                self.counters.truncated.add();
                Some(header::cut(reply, question.end))
            }
            Ok(reply) => Some(reply),
            Err(Failure::Unanswered) => {
                self.counters.unanswered.add();
                asked.failure()
            }
        }
    }
}
