//! Archives as the kernel unpacks them into its first file system: cpio's `newc` format
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::io::{self, Write};

/// An archive that is being written.
pub(super) struct Archive<W> {
    out: W,
    inode: usize,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, inode: 0 }
    }

    /// Adds a directory; those above it come before.
    pub(super) fn directory(&mut self, name: &str) -> io::Result<()> {
        self.entry(name, 0o04_0755, &[])
    }

    /// Adds a file that can be run.
    pub(super) fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.entry(name, 0o10_0755, content)
    }

    /// Writes the end and gives back what was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(&mut self, name: &str, mode: usize, content: &[u8]) -> io::Result<()> {
        self.inode += 1;
        // Inode, mode, owner and group, links, time, size, four numbers of devices, length of the name, no checksum.
        let fields = [self.inode, mode, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        let mut head = b"070701".to_vec();
        for field in fields {
            write!(head, "{field:08x}")?;
        }
        write!(head, "{name}\0")?;
        for part in [head.as_slice(), content] {
            self.out.write_all(part)?;
            self.out.write_all(&[0; 3][..part.len().next_multiple_of(4) - part.len()])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_name_and_content_begin_at_multiples_of_four() {
        let mut archive = Archive::new(Vec::new());
        archive.directory("bin").unwrap();
        archive.file("bin/a", b"12345").unwrap();
        let bytes = archive.finish().unwrap();
        // 110 bytes of header, `bin` and its end, padded.
        assert_eq!(&bytes[..14], b"07070100000001");
        assert_eq!(&bytes[110..116], b"bin\0\0\0");
        assert_eq!(&bytes[116 + 14..116 + 22], b"000081ed");
        assert_eq!(&bytes[116 + 54..116 + 62], b"00000005");
        assert_eq!(&bytes[116 + 110..116 + 116], b"bin/a\0");
        assert_eq!(&bytes[116 + 116..116 + 124], b"12345\0\0\0");
        assert_eq!(&bytes[240 + 110..240 + 120], b"TRAILER!!!");
        assert_eq!(bytes.len() % 4, 0);
    }
}
