//! Full exchanges between two nodes, turn by turn.

use std::time::Duration;

use super::{
    super::super::{Exchange, FRAME, Refused},
    Happening, World, node,
};

/// An exchange under way.
pub(super) struct Session {
    first: Side,
    second: Side,
}

struct Side {
    at: usize,
    life: u32,
    exchange: Exchange,
}

impl World {
    pub(super) fn exchange(&mut self, from: usize, to: usize) {
        let exchange = self.gossip_mut(from).begin_exchange(node(to));
        let is_possible = self.runs[to].is_some() && self.reaches(from, to);
        let accepted = is_possible
            .then(|| self.gossip_mut(to).accept_exchange(node(from)).ok())
            .flatten();
        let Some(accepted) = accepted else {
            self.end(self.side(from, exchange));
            return;
        };
        self.traffic[from].exchanges += 1;
        self.serial += 1;
        let session = Session {
            first: self.side(from, exchange),
            second: self.side(to, accepted),
        };
        self.sessions.insert(self.serial, session);
        self.write(self.serial, true);
    }

    fn side(&self, at: usize, exchange: Exchange) -> Side {
        let life = self.runs[at].as_ref().expect("runs").life;
        Side { at, life, exchange }
    }

    fn write(&mut self, id: u64, by_first: bool) {
        let Some(mut session) = self.sessions.remove(&id) else {
            return;
        };
        let side = if by_first {
            &mut session.first
        } else {
            &mut session.second
        };
        let mut frames = Vec::new();
        while let Some(frame) = self.gossip(side.at).next_frame(&mut side.exchange) {
            assert!(frame.len() <= FRAME + 2, "{}", frame.len());
            frames.push(frame);
        }
        let bytes: usize = frames.iter().map(Vec::len).sum();
        self.traffic[side.at].stream_bytes += bytes as u64;
        assert!(!frames.is_empty(), "an exchange stands still");
        self.sessions.insert(id, session);
        // 100 megabytes per second.
        let delay = self.delay() + Duration::from_nanos(10 * bytes as u64);
        let session = id;
        self.schedule(
            delay,
            Happening::Frames {
                session,
                by_first,
                frames,
            },
        );
    }

    pub(super) fn read(&mut self, id: u64, by_first: bool, frames: &[Vec<u8>]) {
        let Some(mut session) = self.sessions.remove(&id) else {
            return;
        };
        let Session { first, second } = &mut session;
        let is_alive = self.is_life(first.at, first.life) && self.is_life(second.at, second.life);
        if !is_alive || !self.reaches(first.at, second.at) {
            self.end(session.first);
            self.end(session.second);
            return;
        }
        let side = if by_first { second } else { first };
        self.overhear(side.at, frames);
        for frame in frames {
            let is_taken = self.at(side.at, |gossip, now, effects| {
                gossip.handle_frame(&mut side.exchange, frame, now, effects)
            });
            match is_taken {
                Ok(()) | Err(Refused::Stranger { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        if side.exchange.is_over() {
            self.end(session.first);
            self.end(session.second);
        } else {
            self.sessions.insert(id, session);
            self.write(id, !by_first);
        }
    }

    fn end(&mut self, side: Side) {
        if self.is_life(side.at, side.life) {
            self.at(side.at, |gossip, now, effects| {
                gossip.end_exchange(side.exchange, now, effects);
            });
        }
    }
}
