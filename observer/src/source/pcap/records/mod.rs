//! The records of a capture, in either format.
//!
//! ```text
//! legacy     pcap: <https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcap>
//! ng         pcapng: <https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcapng>
//! interface  what a section of pcapng says of one interface
//! options    what blocks of pcapng say in their options
//! ```
//!
//! A length in a file may be any number: nothing is read before its length was compared with what there can be.

mod interface;
mod legacy;
mod ng;
mod options;

use std::io::Read;

use anyhow::{Context as _, anyhow};
use observer_core::Timestamp;

use super::CaptureInfo;
use super::input::Input;
use super::link::Link;
use crate::source::file::{FileKind, HEAD};

/// No packet is longer: libpcap's `MAXIMUM_SNAPLEN`.
const LONGEST_PACKET: u32 = 256 << 10;

/// One record.
#[derive(Debug)]
pub(super) enum Record<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// The capture says that it has lost so many packets since it said so last.
    Dropped(u64),
    /// Packets of an interface whose link type, with this number, cannot be read.
    Unreadable { interface: String, link: u16 },
    /// The input ends within the record that begins at this byte: the end of everything.
    CutOff(u64),
}

/// One packet as it was captured.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    /// `None` in a block without a time.
    pub(super) at: Option<Timestamp>,
    pub(super) link: Link,
    /// How long it was before it was cut off.
    pub(super) length: u32,
    pub(super) data: &'a [u8],
    /// Packets lost just before it.
    pub(super) dropped: u64,
}

/// A capture in either format.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: Input<R>,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Legacy(legacy::Legacy),
    Ng(ng::Sections),
}

impl<R: Read> Records<R> {
    /// Reads the beginning of a capture.
    pub(super) fn new(inner: R) -> anyhow::Result<(Self, CaptureInfo)> {
        let mut input = Input::new(inner);
        let (format, info) = match FileKind::of(input.peek(HEAD)?)? {
            FileKind::Pcap => {
                let (format, info) = legacy::Legacy::begin(&mut input)?;
                (Format::Legacy(format), info)
            }
            FileKind::PcapNg => {
                let (format, info) = ng::Sections::begin(&mut input)?;
                (Format::Ng(format), info)
            }
            FileKind::EventLog => return Err(anyhow!("the file is an event log, not a capture")),
        };
        Ok((Self { input, format }, info))
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    ///
    /// When the input cannot be read, or what stands there cannot be a record: with the byte where it begins.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Record<'_>>> {
        let offset = self.input.offset();
        match &mut self.format {
            Format::Legacy(format) => format.next(&mut self.input),
            Format::Ng(format) => format.next(&mut self.input),
        }
        .with_context(|| format!("byte {offset}"))
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.input.offset()
    }
}
