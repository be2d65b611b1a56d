//! Full exchanges under way.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio::{sync::mpsc, task::JoinSet};
use tracing::debug;

use super::conversation::{self, Desk, Request, Speech};
use crate::{
    gossip::{
        core::{Effect, Exchange, Gossip},
        transport::{Link, Transport},
    },
    model::NodeId,
};

/// The core's side of every exchange, and the tasks that do the talking.
pub(super) struct Exchanges {
    under_way: BTreeMap<u64, (NodeId, Exchange)>,
    begun: u64,
    desk: Desk,
    requests: mpsc::UnboundedReceiver<Request>,
    accepted: JoinSet<()>,
    opened: JoinSet<()>,
    /// How many this node may open at once.
    limit: usize,
}

impl Exchanges {
    pub(super) fn new(limit: usize) -> Self {
        let (desk, requests) = mpsc::unbounded_channel();
        Self {
            under_way: BTreeMap::new(),
            begun: 0,
            desk,
            requests,
            accepted: JoinSet::new(),
            opened: JoinSet::new(),
            limit,
        }
    }

    /// Waits until a conversation wants something.
    pub(super) async fn next_request(&mut self) -> Option<Request> {
        self.requests.recv().await
    }

    /// Opens a stream to a node. Another attempt will be made if there are too many already.
    pub(super) fn open(&mut self, with: NodeId, address: SocketAddr, transport: &Transport) {
        reap(&mut self.opened);
        if self.opened.len() >= self.limit {
            transport.traffic().streams().crowded += 1;
            return;
        }
        let link = transport.connect(with, address);
        self.opened
            .spawn(conversation::begin(link, with, self.desk.clone()));
    }

    /// Takes a stream that a member has opened.
    pub(super) fn accept(&mut self, link: Link, core: &mut Gossip) {
        reap(&mut self.accepted);
        let from = link.peer();
        match core.accept_exchange(from) {
            Ok(exchange) => {
                let number = self.add(from, exchange);
                self.accepted
                    .spawn(conversation::go_on(link, number, self.desk.clone()));
            }
            Err(refused) => debug!(%refused, %from, "no exchange"),
        }
    }

    pub(super) fn handle(
        &mut self,
        request: Request,
        core: &mut Gossip,
        members: &BTreeMap<NodeId, SocketAddr>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let waited_for = match request {
            Request::Begin(with, reply) => {
                let exchange = core.begin_exchange(with);
                reply.send(self.add(with, exchange)).is_ok()
            }
            Request::Speak(number, reply) => reply.send(self.speak(number, core)).is_ok(),
            Request::Heard(number, frame, reply) => {
                let heard = match self.under_way.get_mut(&number) {
                    Some((from, exchange)) if members.contains_key(from) => core
                        .handle_frame(exchange, &frame, now, effects)
                        .inspect_err(|refused| debug!(%refused, %from, "an exchange is ended"))
                        .is_ok(),
                    Some(_) | None => false,
                };
                reply.send(heard).is_ok()
            }
            Request::End(number) => {
                if let Some((_, exchange)) = self.under_way.remove(&number) {
                    core.end_exchange(exchange, now, effects);
                }
                true
            }
        };
        if !waited_for {
            debug!("a stream ended while its next frame was made");
        }
    }

    fn add(&mut self, with: NodeId, exchange: Exchange) -> u64 {
        self.begun += 1;
        self.under_way.insert(self.begun, (with, exchange));
        self.begun
    }

    fn speak(&mut self, number: u64, core: &mut Gossip) -> Speech {
        let Some((_, exchange)) = self.under_way.get_mut(&number) else {
            return Speech::Over;
        };
        match core.next_frame(exchange) {
            Some(frame) => Speech::Frame(frame),
            None if exchange.is_over() => Speech::Over,
            None => Speech::Listen,
        }
    }
}

fn reap(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.try_join_next() {
        if let Err(error) = ended {
            debug!(%error, "an exchange was cut off");
        }
    }
}
