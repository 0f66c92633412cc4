//! What a program needs to run, read from its file: elf(5).

use anyhow::{Context as _, ensure};

/// `e_machine` of the architectures it is built for.
pub(super) const X86_64: u16 = 62;
pub(super) const AARCH64: u16 = 183;

/// Type of the program header that names what loads the libraries.
const PT_INTERP: u32 = 3;
/// Type of that which has the table of what is to be loaded.
const PT_DYNAMIC: u32 = 2;
/// Tag of a library in that table.
const DT_NEEDED: u64 = 1;

/// Checks that a program runs on `machine` with nothing but the kernel.
///
/// # Errors
///
/// When it is no program of 64 bits, or of another machine, or needs an interpreter or a library.
pub(super) fn check_static(program: &[u8], machine: u16) -> anyhow::Result<()> {
    // 64 bits, the lowest byte first.
    ensure!(program.starts_with(b"\x7fELF\x02\x01"), "it is no ELF file of a 64-bit little-endian machine");
    let found = u16_at(program, 18)?;
    ensure!(found == machine, "it is for machine {found}, not {machine}");
    let (table, entry, count) = (u64_at(program, 32)?, u16_at(program, 54)?, u16_at(program, 56)?);
    for number in 0..u64::from(count) {
        let header = table + number * u64::from(entry);
        let kind = u32_at(program, header)?;
        ensure!(kind != PT_INTERP, "it needs an interpreter: it is not static");
        if kind == PT_DYNAMIC {
            let (start, size) = (u64_at(program, header + 8)?, u64_at(program, header + 32)?);
            for entry in (start..start + size).step_by(16) {
                ensure!(u64_at(program, entry)? != DT_NEEDED, "it needs a library: it is not static");
            }
        }
    }
    Ok(())
}

fn u16_at(bytes: &[u8], at: u64) -> anyhow::Result<u16> {
    Ok(u16::from_le_bytes(array_at(bytes, at)?))
}

fn u32_at(bytes: &[u8], at: u64) -> anyhow::Result<u32> {
    Ok(u32::from_le_bytes(array_at(bytes, at)?))
}

fn u64_at(bytes: &[u8], at: u64) -> anyhow::Result<u64> {
    Ok(u64::from_le_bytes(array_at(bytes, at)?))
}

fn array_at<const N: usize>(bytes: &[u8], at: u64) -> anyhow::Result<[u8; N]> {
    let from = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
    from.and_then(|from| from.first_chunk().copied())
        .with_context(|| format!("the file ends before byte {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one program header of this type, which is about these words.
    fn file(kind: u32, words: &[u64]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64 + 56, 0);
        bytes[18] = 62;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64..68].copy_from_slice(&kind.to_le_bytes());
        bytes[64 + 8] = 120;
        bytes[64 + 32] = u8::try_from(words.len() * 8).unwrap();
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes
    }

    #[test]
    fn what_needs_an_interpreter_or_a_library_is_refused() {
        // A table of relocations alone is what static position-independent programs have.
        check_static(&file(PT_DYNAMIC, &[7, 8, 0, 0]), X86_64).unwrap();
        let refused = |file: &[u8], machine| check_static(file, machine).unwrap_err().to_string();
        assert_eq!(refused(&file(PT_INTERP, &[]), X86_64), "it needs an interpreter: it is not static");
        assert_eq!(refused(&file(PT_DYNAMIC, &[7, 8, 1, 4]), X86_64), "it needs a library: it is not static");
        assert_eq!(refused(&file(PT_DYNAMIC, &[]), AARCH64), "it is for machine 62, not 183");
        assert_eq!(refused(&file(PT_DYNAMIC, &[1])[..100], X86_64), "the file ends before byte 96");
        assert_eq!(refused(b"#!/bin/sh", X86_64), "it is no ELF file of a 64-bit little-endian machine");
    }

    #[test]
    fn this_very_test_is_dynamic() {
        let this = std::fs::read("/proc/self/exe").unwrap();
        let machine = u16_at(&this, 18).unwrap();
        assert!(check_static(&this, machine).is_err());
    }
}
