//! The files a guest's kernel starts with: a shell, the modules that this machine's files are
//! reached through, and the script that makes a root of them.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{cpio, kernel, tools::Tools};

const FIRST_PROGRAM: &str = include_str!("init.sh");
const MODULES: [&str; 4] = ["virtio_pci", "9p", "9pnet_virtio", "overlay"];

/// Writes the archive for the kernel whose modules are in the directory `modules`.
pub(super) fn make(modules: &Path, to: &Path, tools: &Tools) -> Result<()> {
    let busybox = tools.path("busybox");
    let busybox = fs::read(&busybox).with_context(|| format!("read {}", busybox.display()))?;

    let mut archive = cpio::Archive::default();
    for directory in ["bin", "dev", "modules", "proc", "sys", "root", "layers"] {
        archive.directory(directory);
    }
    archive.device("dev/console", 5, 1);
    archive.program("bin/busybox", &busybox);
    archive.program("init", FIRST_PROGRAM.as_bytes());
    // The script loads them by name, in order.
    for (number, file) in needed(modules)?.iter().enumerate() {
        let module = unpacked(&modules.join(file), tools)?;
        archive.program(&format!("modules/{number:02}.ko"), &module);
    }
    fs::write(to, archive.finish()).with_context(|| format!("write {}", to.display()))
}

/// The files of `MODULES` and of what they need, in an order in which they can be loaded.
fn needed(modules: &Path) -> Result<Vec<String>> {
    let path = kernel::dependencies(modules);
    let list = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let path = modules.join("modules.builtin");
    let builtin = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    in_order(&MODULES, &list, &builtin)
}

fn in_order(wanted: &[&str], list: &str, builtin: &str) -> Result<Vec<String>> {
    let files: BTreeMap<String, (&str, &str)> = list
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(file, needs)| (name(file), (file, needs)))
        .collect();
    let mut order: Vec<String> = Vec::new();
    for wanted in wanted {
        let Some((file, needs)) = files.get(*wanted) else {
            ensure!(
                builtin.lines().any(|file| name(file) == *wanted),
                "the kernel has no module {wanted}"
            );
            continue;
        };
        // modules.dep names what a module needs in full, the last to load first.
        for file in needs.split_whitespace().rev().chain([*file]) {
            if !order.iter().any(|present| present == file) {
                order.push(file.to_owned());
            }
        }
    }
    Ok(order)
}

/// A module's name, given its file: `kernel/fs/9p/9p.ko.xz` holds `9p`.
fn name(file: &str) -> String {
    let file = file.rsplit('/').next().unwrap_or(file);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

fn unpacked(module: &Path, tools: &Tools) -> Result<Vec<u8>> {
    let program = match module.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(module).with_context(|| format!("read {}", module.display())),
    };
    let output = tools
        .command(program)
        .args(["-d", "-c"])
        .arg(module)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start {program}"))?;
    ensure!(
        output.status.success(),
        "{program} could not unpack {} ({})",
        module.display(),
        output.status
    );
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_needs_is_loaded_before_it() {
        let list = "kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz\n\
                    kernel/net/9p/9pnet-virtio.ko.xz: kernel/net/9p/9pnet.ko.xz\n\
                    kernel/net/9p/9pnet.ko.xz:\n\
                    kernel/fs/netfs/netfs.ko.xz:\n";

        let order = in_order(
            &["9p", "9pnet_virtio", "overlay"],
            list,
            "kernel/fs/overlay.ko\n",
        );

        assert_eq!(
            order.expect("all modules are there"),
            [
                "kernel/fs/netfs/netfs.ko.xz",
                "kernel/net/9p/9pnet.ko.xz",
                "kernel/fs/9p/9p.ko.xz",
                "kernel/net/9p/9pnet-virtio.ko.xz",
            ]
        );
    }

    #[test]
    fn a_missing_module_is_named() {
        let error = in_order(&["9p"], "", "").expect_err("there is no such module");

        assert_eq!(error.to_string(), "the kernel has no module 9p");
    }
}
