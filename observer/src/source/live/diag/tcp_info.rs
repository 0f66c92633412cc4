//! `struct tcp_info` (`include/uapi/linux/tcp.h`): fields are only ever added at its end, so each has its offset
//! for good, and a kernel that does not know one yet sends fewer bytes.

use std::time::Duration;

/// Up to and with `tcpi_notsent_bytes`, which every kernel since 4.6 has.
const SHORTEST: usize = 148;

/// `TCPI_OPT_WSCALE` of `tcpi_options`: both ends have offered window scaling.
const WINDOW_SCALING: u8 = 4;

/// What the program uses of `struct tcp_info`.
#[derive(Debug, PartialEq)]
pub(super) struct TcpInfo {
    pub(super) backoff: u8,
    pub(super) send_window_scale: Option<u8>,
    pub(super) recv_window_scale: Option<u8>,
    pub(super) rto: Duration,
    pub(super) rtt: Duration,
    pub(super) last_data_sent: Duration,
    pub(super) last_data_received: Duration,
    pub(super) bytes_acked: u64,
    pub(super) bytes_received: u64,
    pub(super) not_sent: u32,
    /// From 5.4 on.
    pub(super) send_window: Option<u32>,
    /// From 6.2 on.
    pub(super) recv_window: Option<u32>,
}

impl TcpInfo {
    /// From the bytes of `INET_DIAG_INFO`; `None` when there are fewer than any supported kernel sends.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < SHORTEST {
            return None;
        }
        let millis = |at| u32_at(bytes, at).map(|millis| Duration::from_millis(millis.into()));
        let micros = |at| u32_at(bytes, at).map(|micros| Duration::from_micros(micros.into()));
        let scaling = bytes[5] & WINDOW_SCALING != 0;
        // Two bit fields of four in one byte; their order is that of the machine's bytes.
        let (low, high) = (bytes[6] & 0xf, bytes[6] >> 4);
        let (send, recv) = if cfg!(target_endian = "little") { (low, high) } else { (high, low) };
        Some(Self {
            backoff: bytes[4],
            send_window_scale: scaling.then_some(send),
            recv_window_scale: scaling.then_some(recv),
            rto: micros(8)?,
            last_data_sent: millis(44)?,
            last_data_received: millis(52)?,
            rtt: micros(68)?,
            bytes_acked: u64_at(bytes, 120)?,
            bytes_received: u64_at(bytes, 128)?,
            not_sent: u32_at(bytes, 144)?,
            send_window: u32_at(bytes, 228),
            recv_window: u32_at(bytes, 232),
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tcp_info` of `length` bytes with something different in every field that is used.
    fn bytes(length: usize) -> Vec<u8> {
        let mut bytes = vec![0xee; length];
        bytes[4] = 3;
        bytes[5] = 1 | 2 | WINDOW_SCALING;
        bytes[6] = if cfg!(target_endian = "little") { 0x97 } else { 0x79 };
        let mut put = |at: usize, value: &[u8]| {
            if let Some(field) = bytes.get_mut(at..at + value.len()) {
                field.copy_from_slice(value);
            }
        };
        put(8, &204_000_u32.to_ne_bytes());
        put(44, &1_500_u32.to_ne_bytes());
        put(52, &2_500_u32.to_ne_bytes());
        put(68, &88_u32.to_ne_bytes());
        put(120, &5_000_000_000_u64.to_ne_bytes());
        put(128, &6_000_000_000_u64.to_ne_bytes());
        put(144, &4_096_u32.to_ne_bytes());
        put(228, &0_u32.to_ne_bytes());
        put(232, &65_535_u32.to_ne_bytes());
        bytes
    }

    #[test]
    fn reads_a_long_one_of_a_new_kernel() {
        let info = TcpInfo::parse(&bytes(280)).unwrap();
        assert_eq!(
            info,
            TcpInfo {
                backoff: 3,
                send_window_scale: Some(7),
                recv_window_scale: Some(9),
                rto: Duration::from_millis(204),
                rtt: Duration::from_micros(88),
                last_data_sent: Duration::from_millis(1_500),
                last_data_received: Duration::from_millis(2_500),
                bytes_acked: 5_000_000_000,
                bytes_received: 6_000_000_000,
                not_sent: 4_096,
                send_window: Some(0),
                recv_window: Some(65_535),
            }
        );
    }

    #[test]
    fn reads_what_older_kernels_have() {
        // 5.4 to 6.1 end with tcpi_snd_wnd, 4.9 with tcpi_delivery_rate.
        let info = TcpInfo::parse(&bytes(232)).unwrap();
        assert_eq!((info.send_window, info.recv_window), (Some(0), None));
        let info = TcpInfo::parse(&bytes(168)).unwrap();
        assert_eq!((info.send_window, info.recv_window, info.not_sent), (None, None, 4_096));
    }

    #[test]
    fn refuses_what_no_kernel_sends() {
        assert_eq!(TcpInfo::parse(&bytes(SHORTEST - 1)), None);
        assert_eq!(TcpInfo::parse(&[]), None);
    }

    #[test]
    fn has_no_scale_without_window_scaling() {
        let mut bytes = bytes(280);
        bytes[5] = 1 | 2;
        let info = TcpInfo::parse(&bytes).unwrap();
        assert_eq!((info.send_window_scale, info.recv_window_scale), (None, None));
    }
}
