//! Random histories of commands: what must hold after each of them.

mod invariants;
mod steps;

use proptest::prelude::*;

use self::{
    invariants::check,
    steps::{Step, change, step},
};
use super::{
    super::{Change, Command, Refusal, Reply, State},
    world::{World, init_with_ingress, join},
};
use crate::model::{ClusterView, Role};

/// An entry of the log and how it was answered.
#[derive(Clone, Debug)]
struct Answered {
    index: u64,
    command: Command,
    answer: Result<Reply, Refusal>,
}

/// A history from the cluster's first command on.
struct History {
    world: World,
    log: Vec<Answered>,
    /// Every view on the way.
    views: Vec<ClusterView>,
}

impl History {
    fn of(steps: &[Step]) -> Self {
        let world = World::empty();
        let mut history = Self {
            views: vec![world.state.view()],
            log: Vec::new(),
            world,
        };
        history.make(Change::Init(Box::new(init_with_ingress())));
        history.make(Change::Join(Box::new(join(1, Role::Manager))));
        for step in steps {
            match (step, change(&history.world, step)) {
                (_, Some(change)) => history.make(change),
                (Step::Wait, _) => history.world.now += 1,
                (_, None) => history.ask_again(),
            }
        }
        history
    }

    fn make(&mut self, change: Change) {
        let request = u128::from(self.world.index) << 64;
        let command = Command::new(request, self.world.now, change);
        let before = self.world.state.clone();
        if self.apply(command).is_err() {
            assert_eq!(self.world.state.cluster, before.cluster);
            assert_eq!(self.world.state.history, before.history);
        }
    }

    /// The last request comes once more: its answer was lost.
    fn ask_again(&mut self) {
        let Some(last) = self.log.last().cloned() else {
            return;
        };
        let before = self.world.state.clone();
        assert_eq!(self.apply(last.command), last.answer);
        assert_eq!(self.world.state.cluster, before.cluster);
        assert_eq!(self.world.state.history, before.history);
    }

    fn apply(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.world.index += 1;
        let index = self.world.index;
        let answer = self.world.state.apply(index, command.clone());
        check(&self.world.state);
        self.views.push(self.world.state.view());
        self.log.push(Answered {
            index,
            command,
            answer: answer.clone(),
        });
        answer
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_asked_the_state_is_sound(steps in prop::collection::vec(step(), 1..120)) {
        let History { world, log, views } = History::of(&steps);

        let mut other = State::default();
        for Answered { index, command, answer } in log {
            prop_assert_eq!(other.apply(index, command), answer);
        }
        prop_assert_eq!(&other, &world.state);

        let bytes = postcard::to_allocvec(&world.state).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<State>(&bytes).unwrap(), &world.state);
        let json = serde_json::to_vec(&world.state).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<State>(&json).unwrap(), &world.state);

        let last = world.state.view();
        for mut view in views {
            world.state.update_since(view.index).apply_to(&mut view).unwrap();
            prop_assert_eq!(&view, &last);
        }
    }

    #[test]
    fn commands_survive_the_log(steps in prop::collection::vec(step(), 1..40)) {
        for Answered { command, answer, .. } in History::of(&steps).log {
            let bytes = postcard::to_allocvec(&(&command, &answer)).unwrap();
            let back: (Command, Result<Reply, Refusal>) = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(back, (command.clone(), answer.clone()));
            let json = serde_json::to_vec(&(&command, &answer)).unwrap();
            let back: (Command, Result<Reply, Refusal>) = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(back, (command, answer));
        }
    }
}
