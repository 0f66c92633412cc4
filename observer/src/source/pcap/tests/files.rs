//! Files that packets are captured into.

use super::talk::Talk;

/// What a link puts before an IP packet.
pub(super) fn link_header(link: u16, ip: &[u8]) -> Vec<u8> {
    let is_v6 = ip[0] >> 4 == 6;
    let ether_type: [u8; 2] = if is_v6 { [0x86, 0xdd] } else { [0x08, 0x00] };
    match link {
        0 => vec![if is_v6 { 30 } else { 2 }, 0, 0, 0],
        108 => vec![0, 0, 0, if is_v6 { 24 } else { 2 }],
        1 => [&[0xaa; 12][..], &ether_type].concat(),
        113 => [&[0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0][..], &ether_type].concat(),
        276 => [&ether_type[..], &[0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 1, 2, 3, 4, 5, 6, 0, 0]].concat(),
        _ => Vec::new(),
    }
}

/// Numbers in an order of bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Order {
    pub(super) big_endian: bool,
}

impl Order {
    pub(super) fn u16(self, number: u16) -> [u8; 2] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub(super) fn u32(self, number: u32) -> [u8; 4] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub(super) fn u64(self, number: u64) -> [u8; 8] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }
}

/// The format of tcpdump.
#[derive(Clone, Copy)]
pub(super) struct Pcap {
    pub(super) order: Order,
    pub(super) nanos: bool,
    pub(super) link: u16,
    pub(super) snap_length: usize,
}

impl Default for Pcap {
    fn default() -> Self {
        Self { order: Order::default(), nanos: false, link: 1, snap_length: 262_144 }
    }
}

impl Pcap {
    pub(super) fn header(&self) -> Vec<u8> {
        let magic = if self.nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let order = self.order;
        let mut file = order.u32(magic).to_vec();
        file.extend(order.u16(2));
        file.extend(order.u16(4));
        file.extend([0; 8]);
        file.extend(order.u32(u32::try_from(self.snap_length).unwrap()));
        file.extend(order.u32(self.link.into()));
        file
    }

    /// A record with what comes behind the link's header.
    pub(super) fn record(&self, at: i64, ip: &[u8]) -> Vec<u8> {
        let packet = [&link_header(self.link, ip)[..], ip].concat();
        self.raw_record(at, &packet)
    }

    /// A record with the whole packet.
    pub(super) fn raw_record(&self, at: i64, packet: &[u8]) -> Vec<u8> {
        let captured = &packet[..packet.len().min(self.snap_length)];
        let fraction = at % 1_000_000 * if self.nanos { 1000 } else { 1 };
        let order = self.order;
        let mut record = order.u32(u32::try_from(at / 1_000_000).unwrap()).to_vec();
        record.extend(order.u32(u32::try_from(fraction).unwrap()));
        record.extend(order.u32(u32::try_from(captured.len()).unwrap()));
        record.extend(order.u32(u32::try_from(packet.len()).unwrap()));
        record.extend(captured);
        record
    }

    pub(super) fn file(&self, talk: &Talk) -> Vec<u8> {
        let records = talk.packets.iter().flat_map(|(at, ip)| self.record(*at, ip));
        self.header().into_iter().chain(records).collect()
    }
}

/// Blocks of the format of Wireshark.
impl Order {
    pub(super) fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = self.u32(u32::try_from(12 + body.len() + padding).unwrap());
        [&self.u32(kind)[..], &length, body, &vec![0; padding], &length].concat()
    }

    pub(super) fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let padding = value.len().next_multiple_of(4) - value.len();
        let length = u16::try_from(value.len()).unwrap();
        [&self.u16(code)[..], &self.u16(length), value, &vec![0; padding]].concat()
    }

    pub(super) fn section(self) -> Vec<u8> {
        let options = [self.option(3, b"Linux 6.1"), self.option(4, b"Dumpcap 4.0"), self.option(0, b"")];
        let body = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8], &options.concat()];
        self.block(0x0a0d_0d0a, &body.concat())
    }

    /// An interface with time stamps of this resolution, in seconds beyond this offset.
    pub(super) fn interface(self, link: u16, snap_length: u32, resolution: u8, offset: i64) -> Vec<u8> {
        let options = [
            self.option(2, b"eth7"),
            self.option(9, &[resolution]),
            self.option(14, &self.u64(offset.cast_unsigned())),
            self.option(0, b""),
        ];
        self.block(1, &[&self.u16(link)[..], &[0; 2], &self.u32(snap_length), &options.concat()].concat())
    }

    pub(super) fn enhanced(self, interface: u32, ticks: u64, packet: &[u8], options: &[u8]) -> Vec<u8> {
        let length = self.u32(u32::try_from(packet.len()).unwrap());
        let padding = vec![0; packet.len().next_multiple_of(4) - packet.len()];
        let (high, low) = halves(ticks);
        let body = [
            &self.u32(interface)[..],
            &self.u32(high),
            &self.u32(low),
            &length,
            &length,
            packet,
            &padding,
            options,
        ];
        self.block(6, &body.concat())
    }

    pub(super) fn simple(self, packet: &[u8], snap_length: usize) -> Vec<u8> {
        let length = self.u32(u32::try_from(packet.len()).unwrap());
        self.block(3, &[&length[..], &packet[..packet.len().min(snap_length)]].concat())
    }

    pub(super) fn obsolete(self, interface: u16, dropped: u16, ticks: u64, packet: &[u8]) -> Vec<u8> {
        let length = self.u32(u32::try_from(packet.len()).unwrap());
        let (high, low) = halves(ticks);
        let body = [
            &self.u16(interface)[..],
            &self.u16(dropped),
            &self.u32(high),
            &self.u32(low),
            &length,
            &length,
            packet,
        ];
        self.block(2, &body.concat())
    }

    pub(super) fn statistics(self, interface: u32, by_interface: u64, by_system: u64) -> Vec<u8> {
        let options = [
            self.option(5, &self.u64(by_interface)),
            self.option(7, &self.u64(by_system)),
            self.option(0, b""),
        ];
        self.block(5, &[&self.u32(interface)[..], &[0; 8], &options.concat()].concat())
    }
}

fn halves(ticks: u64) -> (u32, u32) {
    (u32::try_from(ticks >> 32).unwrap(), u32::try_from(ticks & 0xffff_ffff).unwrap())
}
