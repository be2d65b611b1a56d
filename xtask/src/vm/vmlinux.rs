//! The ELF file inside a kernel's bzImage. A machine without hardware virtualization needs seconds
//! to unpack it itself.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::tools::Tools;

/// Fields of the header, as the kernel's Documentation/arch/x86/boot.rst defines them.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR: usize = 512;

/// How the file inside is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Gzip,
    Xz,
    Zstd,
}

/// Writes the ELF file inside of `image` to `to`.
pub(super) fn extract(image: &Path, to: &Path, tools: &Tools) -> Result<()> {
    let bytes = fs::read(image).with_context(|| format!("read {}", image.display()))?;
    let (packing, packed) =
        payload(&bytes).with_context(|| format!("find the kernel in {}", image.display()))?;
    let unpacked = unpack(packing, packed, to, tools)
        .with_context(|| format!("unpack the kernel in {}", image.display()))?;
    ensure!(
        unpacked.starts_with(b"\x7fELF"),
        "what {} holds is not an ELF file",
        image.display()
    );
    Ok(())
}

/// The packed file in a bzImage, without the length that follows it.
fn payload(image: &[u8]) -> Result<(Packing, &[u8])> {
    ensure!(
        image.get(MAGIC..MAGIC + 4) == Some(b"HdrS"),
        "it is not a bzImage"
    );
    let sectors = match image[SETUP_SECTORS] {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (sectors + 1) * SECTOR + number(image, PAYLOAD_OFFSET)?;
    let packed = image
        .get(start..start + number(image, PAYLOAD_LENGTH)?)
        .context("the kernel reaches past the end of the image")?;
    let packing = match packed {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        [a, b, c, d, ..] => {
            bail!("it is packed in an unknown way ({a:02x} {b:02x} {c:02x} {d:02x})")
        }
        _ => bail!("it is empty"),
    };
    let end = match packing {
        Packing::Gzip => packed.len(),
        Packing::Xz | Packing::Zstd => packed.len() - 4,
    };
    Ok((packing, &packed[..end]))
}

fn number(image: &[u8], at: usize) -> Result<usize> {
    let bytes = image.get(at..at + 4).context("the header is cut short")?;
    let number = u32::from_le_bytes(bytes.try_into()?);
    Ok(usize::try_from(number)?)
}

fn unpack(packing: Packing, packed: &[u8], to: &Path, tools: &Tools) -> Result<Vec<u8>> {
    let program = match packing {
        Packing::Gzip => "gzip",
        Packing::Xz => "xz",
        Packing::Zstd => "zstd",
    };
    let from = to.with_extension("packed");
    fs::write(&from, packed).with_context(|| format!("write {}", from.display()))?;
    let input = File::open(&from).with_context(|| format!("open {}", from.display()))?;
    let output = File::create(to).with_context(|| format!("make {}", to.display()))?;
    let result = tools
        .command(program)
        .args(["-d", "-c"])
        .stdin(input)
        .stdout(output)
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("start {program}"))?;
    ensure!(
        result.status.success(),
        "{program} failed ({}): {}",
        result.status,
        String::from_utf8_lossy(&result.stderr).trim()
    );
    fs::remove_file(&from).with_context(|| format!("remove {}", from.display()))?;
    fs::read(to).with_context(|| format!("read {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(packed: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 3 * SECTOR + 16];
        image[SETUP_SECTORS] = 2;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD_OFFSET] = 16;
        image[PAYLOAD_LENGTH] = u8::try_from(packed.len()).expect("a short sample");
        image.extend_from_slice(packed);
        image
    }

    #[test]
    fn the_packed_kernel_is_found_without_its_length() {
        let image = image(b"\xfd7zXZ\0data\x01\x02\x03\x04");

        let (packing, packed) = payload(&image).expect("a kernel");

        assert_eq!(packing, Packing::Xz);
        assert_eq!(packed, b"\xfd7zXZ\0data");
    }

    #[test]
    fn other_files_are_refused() {
        assert!(payload(b"MZ").is_err());
        assert!(payload(&image(b"unknown")).is_err());
        assert!(payload(&image(b"")).is_err());

        let mut short = image(b"\x1f\x8bdata");
        short.truncate(short.len() - 1);
        assert!(payload(&short).is_err());
    }
}
