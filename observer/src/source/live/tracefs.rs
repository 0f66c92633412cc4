//! What the running kernel says of its tracepoints: the `format` files of tracefs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::mounts::{self, Mount};

/// Where tracefs is mounted by itself since 4.1.
pub(super) const USUAL_PLACE: &str = "/sys/kernel/tracing";

/// A mounted tracefs.
#[derive(Clone, Debug)]
pub struct Tracefs(PathBuf);

impl Tracefs {
    /// Where tracefs is mounted; `None` where it is not.
    ///
    /// # Errors
    ///
    /// When `/proc` is not mounted.
    pub fn find() -> anyhow::Result<Option<Self>> {
        Ok(choose(&mounts::read()?).map(Self))
    }

    /// Tracefs at the usual place, where the caller has mounted it.
    pub(super) fn usual() -> Self {
        Self(USUAL_PLACE.into())
    }

    /// The mount point.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The fields of a tracepoint, such as `sock/inet_sock_set_state`.
    ///
    /// # Errors
    ///
    /// When this kernel has no such tracepoint, or the file cannot be read: it is root's.
    pub fn format(&self, event: &str) -> anyhow::Result<Format> {
        let path = self.0.join("events").join(event).join("format");
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Format::parse(&text))
    }
}

/// The attaching library only looks at the usual place and below debugfs.
fn choose(mounts: &[Mount]) -> Option<PathBuf> {
    let usual = [USUAL_PLACE, "/sys/kernel/debug/tracing"];
    usual
        .map(PathBuf::from)
        .into_iter()
        .find(|place| mounts.iter().any(|mount| mount.fs_type == "tracefs" && mount.point == *place))
}

/// One field of a tracepoint's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the beginning of the record.
    pub offset: u16,
    /// Its length in bytes.
    pub size: u16,
}

/// The fields of a tracepoint's record, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format(HashMap<String, Field>);

impl Format {
    /// Reads the text of a `format` file; what is no field is left out.
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(field).collect())
    }

    /// The offset of a field that has this size.
    ///
    /// # Errors
    ///
    /// When there is no such field, or its size is another: the kernel means something else by it.
    pub fn offset(&self, name: &str, size: u16) -> anyhow::Result<u16> {
        let field = self.0.get(name).with_context(|| format!("it has no field {name}"))?;
        anyhow::ensure!(field.size == size, "its field {name} has {} bytes, not {size}", field.size);
        Ok(field.offset)
    }

    /// The size of a field in bytes, `None` if there is none.
    pub fn size(&self, name: &str) -> Option<u16> {
        self.0.get(name).map(|field| field.size)
    }
}

/// `field:__u8 saddr[4]; offset:32; size:4; signed:0;`, with tabs between them.
fn field(line: &str) -> Option<(String, Field)> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?;
    let offset = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
    let size = parts.next()?.strip_prefix("size:")?.parse().ok()?;
    let name = declaration.rsplit([' ', '*']).next()?.split('[').next()?;
    Some((name.to_owned(), Field { offset, size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET_STATE: &str = "name: inet_sock_set_state
ID: 2287
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:int oldstate;\toffset:16;\tsize:4;\tsigned:1;
\tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;
\tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;
\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;

print fmt: \"family=%s sport=%hu\", REC->family, REC->sport
";

    /// 5.10 has no `family` in the `tcp` events; `protocol` was one byte before 5.6.
    const OLDER: &str = "format:
\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:__u16 sport;\toffset:16;\tsize:2;\tsigned:0;
\tfield:__u8 protocol;\toffset:30;\tsize:1;\tsigned:0;
\tfield:__u64 sock_cookie;\toffset:64;\tsize:8;\tsigned:0;
";

    #[test]
    fn reads_the_fields_of_two_kernels() {
        let format = Format::parse(SET_STATE);
        assert_eq!(format.offset("skaddr", 8).unwrap(), 8);
        assert_eq!(format.offset("saddr_v6", 16).unwrap(), 40);
        assert_eq!(format.size("saddr"), Some(4));
        let older = Format::parse(OLDER);
        assert_eq!(older.offset("sport", 2).unwrap(), 16);
        assert_eq!(older.offset("sock_cookie", 8).unwrap(), 64);
    }

    #[test]
    fn a_field_that_is_not_there_or_another_is_an_error() {
        let format = Format::parse(OLDER);
        assert!(format.offset("family", 2).unwrap_err().to_string().contains("no field family"));
        assert!(format.offset("protocol", 2).unwrap_err().to_string().contains("has 1 bytes, not 2"));
        assert_eq!(Format::parse("nonsense\nfield:x;offset:a;size:2;"), Format::default());
    }

    #[test]
    fn is_found_at_the_usual_places_only() {
        let choose = |text: &str| choose(&mounts::parse(text.as_bytes()));
        let debug = "50 23 0:12 / /sys/kernel/debug/tracing rw - tracefs tracefs rw\n";
        assert_eq!(choose(debug), Some("/sys/kernel/debug/tracing".into()));
        assert_eq!(choose("50 23 0:12 / /mnt/t rw - tracefs tracefs rw\n"), None);
        assert_eq!(choose("50 23 0:7 / /sys/kernel/tracing rw - tmpfs tmpfs rw\n"), None);
    }
}
