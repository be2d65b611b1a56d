//! How far a run is: a bar on a terminal, plain lines elsewhere.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// Steps of known number. The bar vanishes when dropped.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    steps: u64,
    done: u64,
    started: Instant,
}

impl Progress {
    /// Announces `steps` steps.
    pub(crate) fn new(steps: u64) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {wide_bar} {pos}/{len} {elapsed} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(steps).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self {
            bar,
            steps,
            done: 0,
            started: Instant::now(),
        }
    }

    /// Says what the next step is.
    pub(crate) fn step(&mut self, what: &str) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done - 1);
            bar.set_message(what.to_owned());
        } else {
            let elapsed = HumanDuration(self.started.elapsed());
            eprintln!("[{}/{}] {what} (after {elapsed})", self.done, self.steps);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
