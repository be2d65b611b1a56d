//! Requests that are asked again because their answer was lost.

use super::{
    super::{Change, Command, Refusal, Reply, State},
    world::{World, id, wish},
};

fn create(request: u128, name: &str) -> Command {
    let wish = wish(request, name);
    Command::new(request, 0, Change::CreateNetwork(Box::new(wish)))
}

#[test]
fn a_request_is_done_once() {
    let mut state = World::with_nodes(1).state;
    let first = state.apply(10, create(7, "one"));
    let again = state.apply(11, create(7, "one"));

    assert!(matches!(first, Ok(Reply::Network { .. })));
    assert_eq!(again, first);
    assert_eq!(state.networks().count(), 1);
    assert_eq!(state.view_index(), 10);
    assert_eq!(state.applied(), 11);
}

#[test]
fn a_refusal_stays_one_for_the_same_request() {
    let mut state = World::with_nodes(1).state;
    state.apply(10, create(1, "one")).unwrap();
    let exists = state.apply(11, create(2, "one"));
    assert!(matches!(exists, Err(Refusal::NetworkExists { .. })));
    let remove = Change::RemoveNetwork {
        network: id(1),
        endpoints: 0,
    };
    state.apply(12, Command::new(3, 0, remove)).unwrap();

    assert_eq!(state.apply(13, create(2, "one")), exists);
    assert!(state.apply(14, create(4, "one")).is_ok());
}

#[test]
fn a_snapshot_knows_what_was_asked() {
    let mut state = World::with_nodes(1).state;
    let first = state.apply(10, create(7, "one"));
    let snapshot = postcard::to_allocvec(&state).unwrap();
    let mut restored: State = postcard::from_bytes(&snapshot).unwrap();

    assert_eq!(restored.apply(11, create(7, "one")), first);
}
