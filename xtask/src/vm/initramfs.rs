//! All that there is in a machine: busybox, the observer with its libraries, modules, and the script that is `init`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::cpio::Archive;
use crate::setup::kernels::Installed;

/// The first process.
const INIT: &str = include_str!("init.sh");

/// Debian's busybox without libraries.
const BUSYBOX: &str = "/bin/busybox";
/// Of util-linux: busybox's own cannot take a capability away from root.
const SETPRIV: &str = "/usr/bin/setpriv";

/// Of iproute2: busybox's own knows no netem.
const TC: &str = "/usr/sbin/tc";

/// Puts it together in the file `to`.
pub(super) fn write(kernel: &Installed, observer: &Path, to: &Path) -> anyhow::Result<()> {
    let mut files = vec![
        ("bin/busybox".to_owned(), PathBuf::from(BUSYBOX)),
        ("bin/observer".to_owned(), observer.to_owned()),
        ("bin/setpriv".to_owned(), PathBuf::from(SETPRIV)),
        ("bin/tc".to_owned(), PathBuf::from(TC)),
    ];
    files.extend(kernel.modules().map(|(name, place)| (format!("modules/{name}"), place)));
    let mut needed = libraries(observer)?;
    for program in [SETPRIV, TC] {
        needed.extend(libraries(Path::new(program))?);
    }
    files.extend(
        needed.into_iter().map(|library| (library.trim_start_matches('/').to_owned(), library.into())),
    );

    let out = File::create(to).with_context(|| format!("making {}", to.display()))?;
    let mut archive = Archive::new(BufWriter::new(out));
    let empty = ["dev", "out", "proc", "sys", "tmp"].map(str::to_owned);
    let directories: BTreeSet<_> =
        empty.into_iter().chain(files.iter().flat_map(|(name, _)| above(name))).collect();
    let writing = || format!("writing {}", to.display());
    for directory in &directories {
        archive.directory(directory).with_context(writing)?;
    }
    archive.file("init", INIT.as_bytes()).with_context(writing)?;
    for (name, place) in files {
        let content = fs::read(&place).with_context(|| format!("reading {}", place.display()))?;
        archive.file(&name, &content).with_context(writing)?;
    }
    archive.finish().with_context(writing)?;
    Ok(())
}

/// The libraries that a program is linked to, and what loads them.
fn libraries(program: &Path) -> anyhow::Result<BTreeSet<String>> {
    let output = Command::new("ldd").arg(program).output().context("starting ldd")?;
    ensure!(output.status.success(), "ldd {} failed with {}", program.display(), output.status);
    Ok(paths(&String::from_utf8_lossy(&output.stdout)))
}

/// The paths in what ldd prints, one at most in a line.
fn paths(text: &str) -> BTreeSet<String> {
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(str::to_owned);
    text.lines().filter_map(path).collect()
}

/// The directories a file is in, the uppermost first.
fn above(name: &str) -> Vec<String> {
    name.match_indices('/').map(|(end, _)| name[..end].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_libraries_and_the_directories_they_are_in() {
        let text = "\tlinux-vdso.so.1 (0x00007f5aed202000)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f5aecff2000)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f5aed204000)\n";
        let found: Vec<_> = paths(text).into_iter().collect();
        assert_eq!(found, ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
        assert_eq!(above("lib/x86_64-linux-gnu/libc.so.6"), ["lib", "lib/x86_64-linux-gnu"]);
        assert!(above("init").is_empty());
    }
}
