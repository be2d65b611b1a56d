//! Every refusal: its words, its kind, a way out, and that it changes nothing.

mod cluster;
mod leases;
mod networks;
mod nodes;
mod services;

use super::{
    super::{Change, RefusalKind},
    world::World,
};

/// A change, what kind of refusal it meets, and its words.
type Case = (Change, RefusalKind, &'static str);

fn check(world: &mut World, cases: impl IntoIterator<Item = Case>) {
    for (change, kind, words) in cases {
        let shown = format!("{change:?}");
        let refusal = match world.apply(change) {
            Err(refusal) => refusal,
            Ok(reply) => panic!("{shown}: {reply:?}"),
        };
        assert_eq!(refusal.to_string(), words, "{shown}");
        assert_eq!(refusal.kind(), kind, "{words}");
        assert!(!refusal.help().is_empty(), "{words}");
    }
}
