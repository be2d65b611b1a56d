//! How thoroughly a bench compares.

/// Runs of each kind.
#[derive(clap::Args, Clone, Copy, Debug)]
#[group(skip)]
pub(crate) struct Effort {
    /// Runs of each kind for each subject.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// Length of a run in seconds.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) seconds: u32,

    /// Seconds to wait for an idle machine before each run, which is made and counted as busy otherwise.
    #[arg(long, default_value_t = 60)]
    pub(crate) patience: u32,
}
