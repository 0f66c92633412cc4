//! What is mounted where (mountinfo of proc(5)).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use anyhow::Context as _;

/// One line of mountinfo, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The directory of the file system that is mounted: `/` when it is the whole one.
    pub(super) root: PathBuf,
    /// Where.
    pub(super) point: PathBuf,
    /// The file system: `cgroup2`, `tracefs`.
    pub(super) fs_type: String,
}

/// Reads the mounts as this thread sees them.
pub(super) fn read() -> anyhow::Result<Vec<Mount>> {
    const MOUNTINFO: &str = "/proc/thread-self/mountinfo";
    let text = std::fs::read(MOUNTINFO).with_context(|| format!("reading {MOUNTINFO}"))?;
    Ok(parse(&text))
}

/// Lines that are none of mountinfo's are left out.
pub(super) fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|&byte| byte == b'\n').filter_map(line).collect()
}

/// `36 35 98:0 /root /point options [optional fields] - type source options`.
fn line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let root = path(fields.nth(3)?);
    let point = path(fields.next()?);
    fields.find(|field| *field == b"-")?;
    let fs_type = String::from_utf8_lossy(fields.next()?).into_owned();
    Some(Mount { root, point, fs_type })
}

/// The kernel writes space, tab, newline and backslash as three octal digits behind a backslash.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = behind
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &behind[3..] } else { behind };
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_with_and_without_optional_fields() {
        let mounts = parse(
            b"26 1 0:5 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw\n\
              41 31 0:38 /a\\040b /mnt/c\\134d rw - tracefs none rw\n",
        );
        let mount = |root: &str, point: &str, fs_type: &str| Mount {
            root: root.into(),
            point: point.into(),
            fs_type: fs_type.into(),
        };
        assert_eq!(mounts, [mount("/", "/sys/fs/cgroup", "cgroup2"), mount("/a b", "/mnt/c\\d", "tracefs")]);
    }

    #[test]
    fn leaves_out_what_is_no_mount() {
        assert_eq!(parse(b"\n36 35 98:0\n36 35 98:0 / /mnt rw shared:1 ext4 /dev/sda rw\n"), []);
        assert_eq!(path(b"/end\\04"), PathBuf::from("/end\\04"));
    }
}
