//! What a kernel makes of the programs, beside what was recorded of it in `kernels.json`.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use aya::programs::ProgramInfo;
use overlay_tests::{Host, Pair};
use serde::{Deserialize, Serialize};

use crate::kernel;

/// Names the directory for the record of this run, which then is compared with none.
const VARIABLE: &str = "OVERLAY_RECORD";

/// How much more work for the verifier than was recorded is a fault, percent.
const TOLERANCE: u32 = 10;

/// What is recorded of a kernel. `cargo xtask test vm --record` puts the records together.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Kernel {
    /// What it calls itself.
    pub(crate) release: String,
    /// Why the agent refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<String>,
    /// How programs are attached.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) attach: String,
    /// What the doctor misses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lacks: Vec<String>,
    /// How many instructions the verifier follows in each program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) instructions: BTreeMap<String, u32>,
}

/// Keeps the record, if it is asked for.
pub(crate) fn keep(record: &Kernel) {
    if let Some(directory) = env::var_os(VARIABLE) {
        let path = Path::new(&directory).join("kernel.json");
        let text = serde_json::to_string(record).expect("JSON");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// What was recorded of this kernel, by the two numbers of its version.
fn recorded() -> Kernel {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm/kernels.json");
    let text = fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut kernels: BTreeMap<String, Kernel> = serde_json::from_str(&text).expect("records");
    let (major, minor) = kernel::release();
    let kernel = kernels.remove(&format!("{major}.{minor}"));
    kernel.unwrap_or_else(|| {
        panic!(
            "nothing is recorded of Linux {major}.{minor}: run `cargo xtask test vm --record`, and commit {}",
            path.display()
        )
    })
}

/// The instructions that the verifier followed, by program, of all that an agent pinned.
fn instructions(host: &Host) -> BTreeMap<String, u32> {
    let root = host.run_dir().join("bpf");
    let mut found = BTreeMap::new();
    // One generation of maps, and beside it what keeps programs attached.
    for generation in listed(&root) {
        let programs = generation.join("programs");
        if !programs.is_dir() {
            continue;
        }
        for pin in listed(&programs) {
            let info = ProgramInfo::from_pin(&pin).expect("a program");
            let name = pin.file_name().expect("a name").to_string_lossy();
            let count = info.verified_instruction_count();
            found.insert(name.into_owned(), count.expect("counted since Linux 5.16"));
        }
    }
    found
}

fn listed(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the agent's bpffs");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

#[test]
fn the_verifier_has_no_more_work_than_was_recorded() {
    let pair = Pair::start().expect("a pair");
    let status = pair.a.status().expect("a status");
    let missing = status["missing_features"].as_array().expect("a list");
    let now = Kernel {
        release: kernel::name(),
        refused: None,
        attach: status["attach"].as_str().expect("a way").to_owned(),
        lacks: missing
            .iter()
            .map(|missing| missing["feature"].as_str().expect("a name").to_owned())
            .collect(),
        instructions: instructions(&pair.a),
    };
    assert!(now.instructions.len() >= 4, "{now:?}");
    if env::var_os(VARIABLE).is_some() {
        keep(&now);
        return;
    }

    let before = recorded();

    assert_eq!(now.attach, before.attach);
    assert_eq!(now.lacks, before.lacks);
    let names = |kernel: &Kernel| kernel.instructions.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&now), names(&before), "record it anew");
    for (name, count) in &now.instructions {
        let before = before.instructions[name];
        assert!(
            u64::from(*count) * 100 <= u64::from(before) * u64::from(100 + TOLERANCE),
            "{name}: {count} instructions, {before} when it was recorded; \
             `cargo xtask test vm --record` records it anew"
        );
    }
}
