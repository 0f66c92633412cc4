//! What kind of file somebody has given.

use anyhow::{bail, ensure};

/// How many bytes of a file [`FileKind::of`] wants to see; fewer only where the file is shorter.
pub const HEAD: usize = 8;

/// What can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A capture in the format of tcpdump, of either byte order, with micro- or nanoseconds.
    Pcap,
    /// A capture in the format of Wireshark.
    PcapNg,
    /// An event log, docs/LOG-FORMAT.md.
    EventLog,
}

impl FileKind {
    /// The kind of the file that begins with these bytes.
    ///
    /// # Errors
    ///
    /// When it is none that can be read: what it is instead, where that is known, and what the user can do.
    pub fn of(first: &[u8]) -> anyhow::Result<Self> {
        ensure!(!first.is_empty(), "the file is empty");
        Ok(match first {
            // Microseconds and nanoseconds in either order, and a variant of the nineties.
            [0xa1, 0xb2, 0xc3, 0xd4, ..]
            | [0xd4, 0xc3, 0xb2, 0xa1, ..]
            | [0xa1, 0xb2, 0x3c, 0x4d, ..]
            | [0x4d, 0x3c, 0xb2, 0xa1, ..]
            | [0x34, 0xcd, 0xb2, 0xa1, ..] => Self::Pcap,
            [0x0a, 0x0d, 0x0d, 0x0a, ..] => Self::PcapNg,
            [b'{', ..] => Self::EventLog,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                bail!("the file is compressed; give it through `zstdcat FILE |` and `-`")
            }
            [0xfd, b'7', b'z', b'X', b'Z', ..] => {
                bail!("the file is compressed; give it through `xzcat FILE |` and `-`")
            }
            _ => bail!("the file is no capture (pcap, pcapng) and no event log"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_file_by_its_first_bytes() {
        for (first, kind) in [
            (&b"\xd4\xc3\xb2\xa1\x02\0\x04\0"[..], FileKind::Pcap),
            (b"\xa1\xb2\xc3\xd4\0\x02\0\x04", FileKind::Pcap),
            (b"\x4d\x3c\xb2\xa1\x02\0\x04\0", FileKind::Pcap),
            (b"\xa1\xb2\x3c\x4d\0\x02\0\x04", FileKind::Pcap),
            (b"\x0a\x0d\x0d\x0a\x1c\0\0\0", FileKind::PcapNg),
            (b"{\"type\":", FileKind::EventLog),
        ] {
            assert_eq!(FileKind::of(first).unwrap(), kind, "{first:?}");
        }
    }

    #[test]
    fn says_what_it_cannot_read() {
        let refusal = |first: &[u8]| FileKind::of(first).unwrap_err().to_string();
        assert_eq!(refusal(b""), "the file is empty");
        assert!(refusal(b"\x28\xb5\x2f\xfd").contains("zstdcat"));
        assert!(refusal(b"\x7fELF").contains("no capture"));
    }
}
