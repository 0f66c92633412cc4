//! The interfaces of a section of pcapng.

use anyhow::{anyhow, ensure};
use observer_core::Timestamp;
use pcap_parser::pcapng::{InterfaceDescriptionBlock, OptionCode};

use super::Link;
use super::options::Options;

/// An interface of the section that is being read.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) name: Option<String>,
    /// Its link type; the number where that cannot be read.
    pub(super) link: Result<Link, u16>,
    /// Most bytes that are captured of a packet; 0 for all.
    pub(super) snap_length: u32,
    clock: Clock,
    /// Lost packets that were told.
    dropped: u64,
    /// Whether it was told that it cannot be read.
    pub(super) told_unreadable: bool,
}

/// How an interface counts its time.
#[derive(Debug)]
struct Clock {
    /// Units in a second.
    units: u64,
    /// Seconds to add.
    offset: i64,
}

impl Interface {
    pub(super) fn new(block: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> anyhow::Result<Self> {
        let options = Options { options: &block.options, big_endian };
        let clock = Clock {
            units: units(options.byte(OptionCode::IfTsresol).unwrap_or(6))?,
            offset: options.number(OptionCode::IfTsoffset).map_or(0, u64::cast_signed),
        };
        // Two bytes; the crate keeps them with the sign of what they are in pcap.
        let number = u16::try_from(block.linktype.0).map_err(|_| anyhow!("not a link type"))?;
        Ok(Self {
            name: options.text(OptionCode::IfName),
            link: Link::try_from(number),
            snap_length: block.snaplen,
            clock,
            dropped: 0,
            told_unreadable: false,
        })
    }

    /// The moment of a time stamp.
    pub(super) fn time(&self, high: u32, low: u32) -> anyhow::Result<Timestamp> {
        let ticks = u64::from(high) << 32 | u64::from(low);
        self.clock.time(ticks).ok_or_else(|| anyhow!("not a time: the file is damaged"))
    }

    /// Takes a total of lost packets; what was not told yet comes back.
    pub(super) fn dropped_in_all(&mut self, total: u64) -> u64 {
        let new = total.saturating_sub(self.dropped);
        self.dropped = self.dropped.max(total);
        new
    }

    /// Takes the number of packets lost since the one before.
    pub(super) fn dropped_more(&mut self, count: u64) -> u64 {
        self.dropped = self.dropped.saturating_add(count);
        count
    }
}

impl Clock {
    fn time(&self, ticks: u64) -> Option<Timestamp> {
        let micros = match self.units {
            1_000_000 => ticks,
            1_000_000_000 => ticks / 1_000,
            units => {
                let fraction = u128::from(ticks % units) * 1_000_000 / u128::from(units);
                (ticks / units).checked_mul(1_000_000)?.checked_add(u64::try_from(fraction).ok()?)?
            }
        };
        let offset = self.offset.checked_mul(1_000_000)?;
        i64::try_from(micros).ok()?.checked_add(offset).map(Timestamp::from_micros)
    }
}

/// Units in a second by `if_tsresol`: a negative power of ten, or of two where the highest bit is set.
fn units(resolution: u8) -> anyhow::Result<u64> {
    let exponent = u32::from(resolution & 0x7f);
    let units =
        if resolution & 0x80 == 0 { 10_u64.checked_pow(exponent) } else { 1_u64.checked_shl(exponent) };
    units.ok_or_else(|| anyhow!("time stamps finer than can be counted (if_tsresol {resolution})"))
}

/// There are not that many on any host.
pub(super) const MOST_INTERFACES: usize = 4096;

/// Adds an interface.
pub(super) fn add(interfaces: &mut Vec<Interface>, interface: Interface) -> anyhow::Result<()> {
    ensure!(interfaces.len() < MOST_INTERFACES, "more than {MOST_INTERFACES} interfaces");
    interfaces.push(interface);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_are_powers_of_ten_or_two_a_second() {
        for (resolution, offset, ticks, micros) in [
            (6, 0, 1_714_831_421_204_007, Some(1_714_831_421_204_007)),
            (9, 0, 1_714_831_421_204_007_999, Some(1_714_831_421_204_007)),
            (3, 7, 1_500, Some(8_500_000)),
            (0x8a, 0, 1024 + 512, Some(1_500_000)),
            (0xbf, 0, 1 << 63, Some(1_000_000)),
            (0, -3, 5, Some(2_000_000)),
            (0, 0, u64::MAX, None),
            (6, i64::MAX, 1, None),
        ] {
            let clock = Clock { units: units(resolution).unwrap(), offset };
            assert_eq!(clock.time(ticks).map(Timestamp::as_micros), micros, "{resolution} {offset} {ticks}");
        }
        assert!(units(20).is_err());
        assert!(units(0xc0).is_err());
    }

    #[test]
    fn losses_are_told_once() {
        let mut interface = Interface {
            name: None,
            link: Ok(Link::Ethernet),
            snap_length: 0,
            clock: Clock { units: 1, offset: 0 },
            dropped: 0,
            told_unreadable: false,
        };
        assert_eq!(interface.dropped_more(3), 3);
        assert_eq!(interface.dropped_in_all(5), 2);
        assert_eq!(interface.dropped_in_all(5), 0);
    }
}
