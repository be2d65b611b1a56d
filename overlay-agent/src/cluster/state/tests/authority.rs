//! Tokens and certificate authorities.

use super::{
    super::{Change, Refusal},
    world::{World, authority, node, text},
};
use crate::model::Role;

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
    let mut world = World::with_nodes(2);
    world.make(Change::StartAuthorityRotation {
        next: authority("second"),
        bundle: "both".to_owned(),
    });
    let trust = world.state.trust().unwrap();
    assert_eq!(trust.signer().name, "second");
    assert_eq!(trust.authority().name, "first");
    let roots = world.state.view().roots;
    assert_eq!(
        (roots.signer.as_str(), roots.bundle.as_str()),
        ("second", "both")
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
    world.make(finish(false));

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
        bundle: "both".to_owned(),
    });
    world.make(Change::FinishAuthorityRotation { force: true });

    assert_eq!(world.state.trust().unwrap().authority().name, "second");
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
