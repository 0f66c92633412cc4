//! What blocks of pcapng say in their options, in the order of bytes of their section.

use pcap_parser::pcapng::{OptionCode, PcapNGOption};

/// Bytes of a text that are looked at; there could be 64 KiB.
const LONGEST_TEXT: usize = 256;

/// The options of one block.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    pub(super) options: &'a [PcapNGOption<'a>],
    pub(super) big_endian: bool,
}

impl Options<'_> {
    /// The number in eight bytes.
    pub(super) fn number(&self, code: OptionCode) -> Option<u64> {
        let bytes = self.bytes(code)?.try_into().ok()?;
        Some(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// The number in one byte.
    pub(super) fn byte(&self, code: OptionCode) -> Option<u8> {
        self.bytes(code)?.first().copied()
    }

    /// The text, or the beginning of it, what is not UTF-8 replaced.
    pub(super) fn text(&self, code: OptionCode) -> Option<String> {
        let bytes = self.bytes(code)?;
        Some(String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_TEXT)]).into_owned())
    }

    fn bytes(&self, code: OptionCode) -> Option<&[u8]> {
        self.options.iter().find(|option| option.code == code)?.as_bytes().ok()
    }
}
