//! pcap, the format of tcpdump.

use std::io::Read;

use anyhow::{Context as _, anyhow, ensure};
use observer_core::Timestamp;
use pcap_parser::{
    LegacyPcapBlock, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};

use super::{CaptureInfo, Input, LONGEST_PACKET, Link, Packet, Record};

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
/// In the format that some kernels of the nineties were patched for.
const MODIFIED_HEADER: usize = 24;

/// What the file header says of all records.
#[derive(Debug)]
pub(super) struct Legacy {
    header: PcapHeader,
    link: Link,
}

impl Legacy {
    pub(super) fn begin<R: Read>(input: &mut Input<R>) -> anyhow::Result<(Self, CaptureInfo)> {
        let bytes = input.take(FILE_HEADER)?.context("the file ends within its header")?;
        let (_, header) = parse_pcap_header(bytes).map_err(|_| anyhow!("not the header of a capture"))?;
        // The upper half may say how long the Ethernet checksum is behind each packet, which is no payload anyway.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "16 bits are meant")]
        let number = header.network.0 as u16;
        let link = Link::try_from(number).map_err(|number| {
            anyhow!(
                "link type {number} cannot be read; capture on Ethernet, `any`, loopback or a tunnel of IP"
            )
        })?;
        Ok((Self { header, link }, CaptureInfo { format: "pcap", ..CaptureInfo::default() }))
    }

    pub(super) fn next<'a, R: Read>(&self, input: &'a mut Input<R>) -> anyhow::Result<Option<Record<'a>>> {
        let offset = input.offset();
        let header_length = if self.header.is_modified_format() { MODIFIED_HEADER } else { RECORD_HEADER };
        let header = input.peek(header_length)?;
        if header.is_empty() {
            return Ok(None);
        }
        let Some(&length) = header.first_chunk::<RECORD_HEADER>().filter(|_| header.len() == header_length)
        else {
            return Ok(Some(Record::CutOff(offset)));
        };
        let captured = self.number([length[8], length[9], length[10], length[11]]);
        ensure!(
            captured <= LONGEST_PACKET,
            "a record of {captured} bytes, more than any packet has: the file is damaged"
        );
        let Some(bytes) = input.take(header_length + captured as usize)? else {
            return Ok(Some(Record::CutOff(offset)));
        };
        let parse = match (self.header.is_modified_format(), self.header.is_bigendian()) {
            (true, _) => parse_pcap_frame_modified,
            (false, true) => parse_pcap_frame_be,
            (false, false) => parse_pcap_frame,
        };
        let (_, block) = parse(bytes).map_err(|_| anyhow!("not a record of a capture"))?;
        self.packet(&block).map(Some)
    }

    fn packet<'a>(&self, block: &LegacyPcapBlock<'a>) -> anyhow::Result<Record<'a>> {
        let (units, micros) = if self.header.is_nanosecond_precision() {
            (1_000_000_000, block.ts_usec / 1_000)
        } else {
            (1_000_000, block.ts_usec)
        };
        // What stands in the middle of a record, or where a disk has lost a block, does not look like one.
        ensure!(
            block.ts_usec < units && block.origlen != 0 && block.caplen <= block.origlen,
            "not the header of a record: the file is damaged"
        );
        let at = i64::from(block.ts_sec) * 1_000_000 + i64::from(micros);
        Ok(Record::Packet(Packet {
            at: Some(Timestamp::from_micros(at)),
            link: self.link,
            length: block.origlen,
            data: block.data,
            dropped: 0,
        }))
    }

    fn number(&self, bytes: [u8; 4]) -> u32 {
        if self.header.is_bigendian() { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}
