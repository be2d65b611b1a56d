//! What a kernel makes of the programs, beside what was recorded of it in `kernels.json`.

use std::{collections::BTreeMap, env, fs, path::Path};

use aya::{EbpfLoader, programs::Program};
use overlay_common::{abi, address::Address, config::Config};
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

/// The instructions that the verifier followed in each program of the object.
fn instructions() -> BTreeMap<String, u32> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/overlay.o");
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let pins = Path::new("/sys/fs/bpf/record");
    fs::create_dir_all(pins).expect("a directory");
    // Whatever can be switched on is on, so that nothing is left out.
    let config = Config {
        local_ipv4: Address::from_v4([192, 0, 2, 1]),
        local_ipv6: Address::UNSPECIFIED,
        tunnel_ifindex: 1,
        event_sample: 1,
        port: 4789,
        source_port_first: 32768,
        source_port_last: 60999,
        decap_l3: u16::from(kernel::has_mixed_decapsulation()),
        set_retval: 1,
        packet_lb: 1,
        mark: 0xe500_0000,
    };
    let mut object = EbpfLoader::new()
        .override_global(abi::CONFIG, &config, true)
        .default_map_pin_directory(pins)
        .load(&bytes)
        .expect("the object");
    let mut found = BTreeMap::new();
    for (name, program) in object.programs_mut() {
        let loaded = if let Program::SchedClassifier(program) = program {
            program.load().and_then(|()| program.info())
        } else if let Program::CgroupSockAddr(program) = program {
            program.load().and_then(|()| program.info())
        } else {
            panic!("{name} is of a type that nobody loads here")
        };
        let info = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        let count = info.verified_instruction_count();
        found.insert(name.to_owned(), count.expect("counted since Linux 5.16"));
    }
    drop(object);
    fs::remove_dir_all(pins).expect("removed");
    found
}

#[test]
fn the_verifier_has_no_more_work_than_was_recorded() {
    let mut lacks = Vec::new();
    if !kernel::has_tcx() {
        lacks.push("TCX links (Linux 6.6)".to_owned());
    }
    if !kernel::has_mixed_decapsulation() {
        lacks.push("decapsulation across families (Linux 6.3)".to_owned());
    }
    let attach = if kernel::has_tcx() { "tcx" } else { "clsact" };
    // That the agent finds the same is asked elsewhere.
    let now = Kernel {
        release: kernel::name(),
        refused: None,
        attach: attach.to_owned(),
        lacks,
        instructions: instructions(),
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
