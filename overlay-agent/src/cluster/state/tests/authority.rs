//! Tokens and certificate authorities.

use super::{
    super::{Change, Chore, Refusal, Schedule, Times},
    world::{World, authority, node, text},
};
use crate::model::Role;

/// What is trusted while `second` takes the place of `first`.
const BOTH: &str = "certificate of first, certificate of second";

const SCHEDULE: Schedule = Schedule {
    rotate_keys: 43_200,
    retire_keys: 60,
    reap: 1800,
};

#[test]
fn a_token_changes_and_the_other_stays() {
    let mut world = World::with_nodes(1);
    world.make(Change::RotateToken {
        role: Role::Worker,
        secret: text("another"),
    });

    let trust = world.state.trust().unwrap();
    assert_eq!(trust.token(Role::Worker).expose(), "another");
    assert_eq!(trust.token(Role::Manager).expose(), "for managers");
}

#[test]
fn an_authority_takes_over_when_all_nodes_follow() {
    let mut world = World::with_ingress(2);
    world.make(Change::StartAuthorityRotation {
        next: authority("second"),
        bundle: BOTH.to_owned(),
    });
    let trust = world.state.trust().unwrap();
    assert_eq!(trust.signer().name, "second");
    assert_eq!(trust.authority().name, "first");
    let roots = world.state.view().roots;
    assert_eq!(
        (roots.signer.as_str(), roots.bundle.as_str()),
        ("second", BOTH)
    );

    let finish = |force| Change::FinishAuthorityRotation { force };
    for number in 1..=2 {
        let waiting: Vec<_> = world.state.uncertified().collect();
        assert_eq!(waiting.len(), 3 - number);
        assert_eq!(
            world.apply(finish(false)),
            Err(Refusal::AuthorityRotationUnfinished {
                count: 3 - number,
                node: node(number as u128),
            })
        );
        world.make(Change::ReportCertificate {
            node: node(number as u128),
            authority: "second".to_owned(),
        });
    }
    let chores = world.state.chores(world.now, &SCHEDULE);
    assert_eq!(chores, [Chore::FinishAuthorityRotation]);
    world.make(finish(false));
    assert_eq!(world.state.chores(world.now, &SCHEDULE), []);

    let trust = world.state.trust().unwrap();
    assert_eq!(trust.authority().name, "second");
    assert_eq!(trust.next(), None);
    let roots = world.state.view().roots;
    assert_eq!(roots.bundle, "certificate of second");
}

#[test]
fn a_forced_rotation_waits_for_nobody() {
    let mut world = World::with_nodes(2);
    world.make(Change::StartAuthorityRotation {
        next: authority("second"),
        bundle: BOTH.to_owned(),
    });
    world.make(Change::FinishAuthorityRotation { force: true });

    assert_eq!(world.state.trust().unwrap().authority().name, "second");
}

#[test]
fn a_rotation_may_begin_before_the_last_one_ended_but_forgets_nobody() {
    let mut world = World::with_nodes(2);
    let start = |name, bundle: &str| Change::StartAuthorityRotation {
        next: authority(name),
        bundle: bundle.to_owned(),
    };
    world.make(start("second", BOTH));

    assert_eq!(
        world.apply(start("third", "certificate of first, certificate of third")),
        Err(Refusal::AuthorityOvertaken)
    );
    assert_eq!(world.state.trust().unwrap().signer().name, "second");
    world.make(start("third", &format!("{BOTH}, certificate of third")));
    assert_eq!(world.state.trust().unwrap().signer().name, "third");
}

#[test]
fn chosen_times_stay_until_others_are_chosen() {
    let mut world = World::with_ingress(1);
    let keys = Times {
        keys: Some(600),
        ..Times::default()
    };
    let certificates = Times {
        certificates: Some(7_200),
        ..Times::default()
    };
    world.make(Change::SetTimes(keys));
    world.make(Change::SetTimes(certificates));
    let short = Times {
        keys: Some(59),
        ..Times::default()
    };
    let refused = world.apply(Change::SetTimes(short));
    assert!(matches!(refused, Err(Refusal::TooShort { least: 60, .. })));

    let times = world.state.times();
    assert_eq!((times.certificates, times.keys), (Some(7_200), Some(600)));
    let rotated = world.state.keys_rotated().unwrap();
    assert_eq!(world.state.chores(rotated + 599, &SCHEDULE), []);
    let due = world.state.chores(rotated + 600, &SCHEDULE);
    assert_eq!(due, [Chore::RotateKeys]);
}

#[test]
fn secrets_do_not_show() {
    let mut world = World::with_nodes(1);
    world.make(Change::RotateKeys {
        secret: super::world::secret(0xab),
    });
    let shown = format!("{:?}", world.state);

    assert!(!shown.contains("for workers"));
    assert!(!shown.contains("material\""));
    assert!(!shown.contains("171, 171"));
}
