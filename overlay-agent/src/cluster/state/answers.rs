//! Answers to the latest requests, so that one that is asked again is not done again.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Refusal, Reply};

/// How many are kept: minutes of a busy cluster, far longer than anyone asks again.
const KEPT: usize = 4096;

/// The latest answers, by the identifier of the request.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Answers {
    /// Oldest first.
    order: VecDeque<u128>,
    by_request: BTreeMap<u128, Result<Reply, Refusal>>,
}

impl Answers {
    pub(super) fn get(&self, request: u128) -> Option<&Result<Reply, Refusal>> {
        self.by_request.get(&request)
    }

    pub(super) fn keep(&mut self, request: u128, answer: Result<Reply, Refusal>) {
        if self.by_request.insert(request, answer).is_none() {
            self.order.push_back(request);
        }
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_request.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_answers_are_forgotten() {
        let mut answers = Answers::default();
        for request in 0..KEPT as u128 + 2 {
            answers.keep(request, Ok(Reply::Done));
        }

        assert_eq!(answers.by_request.len(), KEPT);
        assert!(answers.get(1).is_none());
        assert!(answers.get(2).is_some());
    }
}
