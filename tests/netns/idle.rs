//! A host whose agent has not run yet.

use overlay_tests::{
    Binaries, Host, Session, StaticConfig, Underlay, Wiring,
    cluster::{self, Guest},
};

/// Host `a` of two, with nothing of ours on it.
pub(crate) struct Idle {
    pub(crate) host: Host,
    _underlay: Underlay,
    pub(crate) session: Session,
}

impl Idle {
    pub(crate) fn new() -> Self {
        Self::with(|config| config)
    }

    /// One with a changed configuration.
    pub(crate) fn with(change: impl FnOnce(StaticConfig) -> StaticConfig) -> Self {
        let session = Session::for_test().expect("a session");
        let underlay =
            Underlay::build(&session, "u", &["a", "b"], Wiring::direct()).expect("an underlay");
        let config = change(cluster::config(underlay.machines()));
        let binaries = Binaries::find().expect("binaries");
        let machine = &underlay.machines()[0];
        let host = Host::prepare(&session, "host", machine, &config, &binaries).expect("a host");
        Self {
            host,
            _underlay: underlay,
            session,
        }
    }

    /// A container, once the agent runs.
    pub(crate) fn guest(&self, name: &str) -> Guest {
        Guest::new(&self.session, &self.host, name).expect("a container")
    }
}
