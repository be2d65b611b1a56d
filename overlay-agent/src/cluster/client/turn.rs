//! In which order managers are asked.

use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
};

/// One round: every manager once, and leaders that were hinted at sooner.
#[derive(Debug)]
pub(super) struct Turn {
    waiting: VecDeque<SocketAddr>,
    asked: BTreeSet<SocketAddr>,
}

impl Turn {
    /// The preferred one first, then the others from a random one on.
    pub(super) fn new(known: &[SocketAddr], preferred: Option<SocketAddr>, random: u32) -> Self {
        let mut waiting: VecDeque<_> = known.iter().copied().collect();
        if !waiting.is_empty() {
            let start = random as usize % waiting.len();
            waiting.rotate_left(start);
        }
        let mut turn = Self {
            waiting,
            asked: BTreeSet::new(),
        };
        if let Some(preferred) = preferred.filter(|preferred| known.contains(preferred)) {
            turn.go_to(preferred);
        }
        turn
    }

    /// Whom to ask now.
    pub(super) fn next(&mut self) -> Option<SocketAddr> {
        let next = self.waiting.pop_front()?;
        self.asked.insert(next);
        Some(next)
    }

    /// Asks this one next, unless it was asked in this round: two managers that name each other do not
    /// keep us for ever.
    pub(super) fn go_to(&mut self, leader: SocketAddr) {
        if !self.asked.contains(&leader) {
            self.waiting.retain(|manager| *manager != leader);
            self.waiting.push_front(leader);
        }
    }

    /// Asks this one after all others.
    pub(super) fn put_last(&mut self, manager: SocketAddr) {
        if let Some(place) = self.waiting.iter().position(|waiting| *waiting == manager) {
            self.waiting.remove(place);
            self.waiting.push_back(manager);
        }
    }

    /// Whether somebody is still to be asked.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 2377))
    }

    fn order(turn: &mut Turn) -> Vec<u8> {
        let numbers = std::iter::from_fn(|| turn.next()).map(|manager| match manager {
            SocketAddr::V4(address) => address.ip().octets()[3],
            SocketAddr::V6(_) => 0,
        });
        numbers.collect()
    }

    #[test]
    fn the_preferred_one_comes_first_and_the_others_after_it() {
        let known = [1, 2, 3, 4].map(manager);

        assert_eq!(order(&mut Turn::new(&known, None, 0)), [1, 2, 3, 4]);
        assert_eq!(order(&mut Turn::new(&known, None, 6)), [3, 4, 1, 2]);
        let preferred = Some(manager(4));
        assert_eq!(order(&mut Turn::new(&known, preferred, 1)), [4, 2, 3, 1]);
        let gone = Some(manager(9));
        assert_eq!(order(&mut Turn::new(&known, gone, 0)), [1, 2, 3, 4]);
        assert_eq!(order(&mut Turn::new(&[], gone, 7)), [0; 0]);
    }

    #[test]
    fn a_hint_is_followed_once() {
        let known = [1, 2, 3].map(manager);
        let mut turn = Turn::new(&known, None, 0);
        turn.next();

        turn.go_to(manager(7));
        assert_eq!(turn.next(), Some(manager(7)));
        turn.go_to(manager(3));
        turn.go_to(manager(1));
        turn.go_to(manager(7));

        assert_eq!(order(&mut turn), [3, 2]);
        assert!(!turn.is_waiting());
    }

    #[test]
    fn a_lost_manager_comes_last() {
        let known = [1, 2, 3].map(manager);
        let mut turn = Turn::new(&known, Some(manager(1)), 0);

        turn.put_last(manager(1));
        turn.put_last(manager(9));

        assert_eq!(order(&mut turn), [2, 3, 1]);
    }
}
