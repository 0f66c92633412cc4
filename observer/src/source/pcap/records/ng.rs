//! pcapng, the format of Wireshark.

use std::io::Read;

use anyhow::{Context as _, anyhow, bail, ensure};
use pcap_parser::pcapng::{
    Block, EnhancedPacketBlock, OptionCode, SimplePacketBlock, parse_block_be, parse_block_le,
};

use super::interface::{self, Interface};
use super::options::Options;
use super::{CaptureInfo, Input, LONGEST_PACKET, Packet, Record};
use crate::source::pcap::input::LONGEST;

/// Types of the blocks that are looked into.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Type and length before a block, and the length again behind it.
const BLOCK_HEADER: usize = 8;
const BLOCK_TRAILER: usize = 4;

/// What is looked at first; no block is shorter.
const HEAD: usize = BLOCK_HEADER + 4;

/// What marks the order of bytes of a section, as a big-endian section has it.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// `epb_dropcount`: packets lost between this one and the one before it.
const DROP_COUNT: OptionCode = OptionCode(4);

/// The section that is being read.
#[derive(Debug, Default)]
pub(super) struct Sections {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

/// The beginning of a block.
struct Head {
    kind: u32,
    /// Of the whole block.
    length: usize,
    /// Type and length as they stand there, and the first four bytes behind them.
    bytes: [u8; HEAD],
}

impl Sections {
    pub(super) fn begin<R: Read>(input: &mut Input<R>) -> anyhow::Result<(Self, CaptureInfo)> {
        let mut sections = Self::default();
        let head = sections.head(input)?.context("the file ends within its header")?;
        let block = input.take(head.length)?.context("the file ends within its header")?;
        let Block::SectionHeader(header) = parse(block, sections.big_endian)? else {
            bail!("a capture begins with a section header");
        };
        let options = Options { options: &header.options, big_endian: sections.big_endian };
        let info = CaptureInfo {
            format: "pcapng",
            hardware: options.text(OptionCode::ShbHardware),
            system: options.text(OptionCode::ShbOs),
            application: options.text(OptionCode::ShbUserAppl),
        };
        Ok((sections, info))
    }

    /// The next record, past all blocks that are none.
    pub(super) fn next<'a, R: Read>(
        &mut self,
        input: &'a mut Input<R>,
    ) -> anyhow::Result<Option<Record<'a>>> {
        loop {
            let offset = input.offset();
            if input.peek(1)?.is_empty() {
                return Ok(None);
            }
            let Some(head) = self.head(input)? else { return Ok(Some(Record::CutOff(offset))) };
            let told = match head.kind {
                SECTION_HEADER | INTERFACE | STATISTICS => {
                    let Some(block) = input.take(head.length)? else {
                        return Ok(Some(Record::CutOff(offset)));
                    };
                    self.about_interfaces(block)?.map(Record::Dropped)
                }
                OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => {
                    let index = self.interface_of(&head);
                    let interface = self.interfaces.get_mut(index).with_context(|| {
                        format!("no interface {index} was described: the file is damaged")
                    })?;
                    if interface.link.is_ok() {
                        let Some(block) = input.take(head.length)? else {
                            return Ok(Some(Record::CutOff(offset)));
                        };
                        return packet(block, self.big_endian, interface).map(Some);
                    }
                    if !pass_over(&head, input, self.big_endian)? {
                        return Ok(Some(Record::CutOff(offset)));
                    }
                    unreadable(index, interface)
                }
                _ if pass_over(&head, input, self.big_endian)? => None,
                _ => return Ok(Some(Record::CutOff(offset))),
            };
            if told.is_some() {
                return Ok(told);
            }
        }
    }

    /// The beginning of the next block; `None` when the input ends within it.
    fn head<R: Read>(&mut self, input: &mut Input<R>) -> anyhow::Result<Option<Head>> {
        let Some(&bytes) = input.peek(HEAD)?.first_chunk::<HEAD>() else { return Ok(None) };
        if number(&bytes, 0, true) == SECTION_HEADER {
            self.big_endian = match number(&bytes, BLOCK_HEADER, true) {
                BYTE_ORDER => true,
                other if other == BYTE_ORDER.swap_bytes() => false,
                _ => bail!("not a section header: the file is damaged"),
            };
        }
        let (kind, length) = (number(&bytes, 0, self.big_endian), number(&bytes, 4, self.big_endian));
        // Each has room for the trailer, and is padded.
        ensure!(length >= 12 && length.is_multiple_of(4), "a block of {length} bytes: the file is damaged");
        let head = Head { kind, length: length as usize, bytes };
        let looked_into = matches!(
            kind,
            SECTION_HEADER | INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | STATISTICS | ENHANCED_PACKET
        );
        ensure!(
            !looked_into || head.length <= LONGEST,
            "a block of {length} bytes, more than any packet has: the file is damaged"
        );
        Ok(Some(head))
    }

    /// The number of the interface that a block with a packet names.
    fn interface_of(&self, head: &Head) -> usize {
        match head.kind {
            ENHANCED_PACKET => number(&head.bytes, BLOCK_HEADER, self.big_endian) as usize,
            OBSOLETE_PACKET => usize::from(short(&head.bytes, BLOCK_HEADER, self.big_endian)),
            _ => 0,
        }
    }

    /// Takes what a block says of interfaces; packets they have lost come back.
    fn about_interfaces(&mut self, block: &[u8]) -> anyhow::Result<Option<u64>> {
        match parse(block, self.big_endian)? {
            // Its interfaces are counted anew.
            Block::SectionHeader(_) => self.interfaces.clear(),
            Block::InterfaceDescription(description) => {
                interface::add(&mut self.interfaces, Interface::new(&description, self.big_endian)?)?;
            }
            Block::InterfaceStatistics(statistics) => {
                let options = Options { options: &statistics.options, big_endian: self.big_endian };
                let by_interface = options.number(OptionCode::IsbIfDrop).unwrap_or(0);
                let by_system = options.number(OptionCode::IsbOsDrop).unwrap_or(0);
                let dropped = self
                    .interfaces
                    .get_mut(statistics.if_id as usize)
                    .map_or(0, |interface| interface.dropped_in_all(by_interface.saturating_add(by_system)));
                return Ok((dropped > 0).then_some(dropped));
            }
            _ => {}
        }
        Ok(None)
    }
}

/// Passes over a block; `false` when the input ends within it.
fn pass_over<R: Read>(head: &Head, input: &mut Input<R>, big_endian: bool) -> anyhow::Result<bool> {
    let before = input.offset();
    if !input.skip((head.length - BLOCK_TRAILER) as u64)? {
        // Other blocks may be of any length. One that would have swallowed that much is none.
        ensure!(
            input.offset() - before <= LONGEST as u64,
            "a block of {} bytes goes beyond the end: the file is damaged",
            head.length
        );
        return Ok(false);
    }
    let Some(trailer) = input.take(BLOCK_TRAILER)? else { return Ok(false) };
    let length = number(trailer, 0, big_endian);
    ensure!(length as usize == head.length, "a block that does not end as it begins: the file is damaged");
    Ok(true)
}

fn parse(block: &[u8], big_endian: bool) -> anyhow::Result<Block<'_>> {
    let parse = if big_endian { parse_block_be } else { parse_block_le };
    let (_, parsed) = parse(block).map_err(|_| anyhow!("not a block of a capture: the file is damaged"))?;
    Ok(parsed)
}

fn unreadable<'a>(index: usize, interface: &mut Interface) -> Option<Record<'a>> {
    let (Err(link), false) = (interface.link, interface.told_unreadable) else { return None };
    interface.told_unreadable = true;
    let interface = interface.name.clone().unwrap_or_else(|| format!("interface {index}"));
    Some(Record::Unreadable { interface, link })
}

/// The packet in a block of `interface`.
fn packet<'a>(block: &'a [u8], big_endian: bool, interface: &mut Interface) -> anyhow::Result<Record<'a>> {
    let packet = match parse(block, big_endian)? {
        Block::EnhancedPacket(block) => enhanced(&block, big_endian, interface)?,
        Block::SimplePacket(block) => simple(&block, interface),
        Block::Unknown(block) => obsolete(block.data, big_endian, interface)?,
        _ => None,
    };
    let packet = packet.filter(|packet| packet.length != 0 && packet.data.len() <= packet.length as usize);
    packet.map(Record::Packet).context("not a packet: the file is damaged")
}

fn enhanced<'a>(
    block: &EnhancedPacketBlock<'a>,
    big_endian: bool,
    interface: &mut Interface,
) -> anyhow::Result<Option<Packet<'a>>> {
    let dropped = Options { options: &block.options, big_endian }.number(DROP_COUNT).unwrap_or(0);
    let Some(data) = block.data.get(..block.caplen as usize) else { return Ok(None) };
    Ok(Some(Packet {
        at: Some(interface.time(block.ts_high, block.ts_low)?),
        link: interface.link.map_err(|number| anyhow!("link type {number}"))?,
        length: block.origlen,
        data,
        dropped: interface.dropped_more(dropped),
    }))
}

/// Without a time, of the first interface, and cut off at its snap length.
fn simple<'a>(block: &SimplePacketBlock<'a>, interface: &Interface) -> Option<Packet<'a>> {
    let snap_length = if interface.snap_length == 0 { LONGEST_PACKET } else { interface.snap_length };
    let captured = block.origlen.min(snap_length) as usize;
    let data = block.data.get(..captured.min(block.data.len()))?;
    Some(Packet { at: None, link: interface.link.ok()?, length: block.origlen, data, dropped: 0 })
}

/// Interface and lost packets in two bytes each, the time, what was captured, the length; the packet.
fn obsolete<'a>(
    body: &'a [u8],
    big_endian: bool,
    interface: &mut Interface,
) -> anyhow::Result<Option<Packet<'a>>> {
    let Some((header, data)) = body.split_first_chunk::<20>() else { return Ok(None) };
    let field = |at| number(header, at, big_endian);
    let dropped = match short(header, 2, big_endian) {
        u16::MAX => 0, // not known
        dropped => u64::from(dropped),
    };
    let Some(data) = data.get(..field(12) as usize) else { return Ok(None) };
    Ok(Some(Packet {
        at: Some(interface.time(field(4), field(8))?),
        link: interface.link.map_err(|number| anyhow!("link type {number}"))?,
        length: field(16),
        data,
        dropped: interface.dropped_more(dropped),
    }))
}

/// The number in the four bytes from `at` on, which the caller has seen to be there.
fn number(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let number = bytes[at..].first_chunk().copied().unwrap_or_default();
    if big_endian { u32::from_be_bytes(number) } else { u32::from_le_bytes(number) }
}

/// The number in the two bytes from `at` on, likewise.
fn short(bytes: &[u8], at: usize, big_endian: bool) -> u16 {
    let number = bytes[at..].first_chunk().copied().unwrap_or_default();
    if big_endian { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) }
}
