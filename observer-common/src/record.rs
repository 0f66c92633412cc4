//! What goes through the ring buffer.

use bytemuck::{Pod, Zeroable};

use crate::connection::{Ends, Tail};

/// How many bytes of a text are told at most.
pub const TEXT_BYTES: usize = 256;

/// Where the user's name begins in a login: behind the packet's header and 32 bytes of flags, sizes and zeros.
pub const LOGIN_FIXED: usize = 36;

/// How many bytes of a login are looked at for the user's name; a power of two.
pub const LOGIN_HEAD: usize = 128;

/// How many bytes are told of what stands behind the response in a login; a power of two.
pub const LOGIN_REST: usize = 256;

/// A number from the kernel that means nothing to this observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownNumber(pub u32);

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum $name { $($(#[$variant_doc])* $variant = $number,)* }

        impl TryFrom<u32> for $name {
            type Error = UnknownNumber;

            fn try_from(number: u32) -> Result<Self, UnknownNumber> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    unknown => Err(UnknownNumber(unknown)),
                }
            }
        }
    };
}

numbered! {
    /// What a record is: [`Header::kind`].
    RecordKind {
        /// A [`SegmentRecord`].
        Segment = 1,
        /// A [`TextRecord`] with the server's greeting.
        Greeting = 2,
        /// A [`TextRecord`] with a command of the client.
        Command = 3,
        /// A [`StateRecord`].
        State = 4,
        /// A [`DestroyedRecord`].
        Destroyed = 5,
        /// A [`LoginRecord`] with the client's answer to the greeting.
        Login = 6,
        /// A [`TextRecord`] with the beginning of the server's answer to the last command that was told.
        Reply = 7,
        /// A [`TextRecord`] with an error of the server that nobody asked for.
        ServerError = 8,
        /// A [`TextRecord`] with the beginning of a command that ends a `SET STATEMENT`.
        NextCommand = 9,
        /// A [`WaitRecord`].
        WaitEnds = 20,
    }
}

numbered! {
    /// Which way a segment went.
    Direction {
        /// Sent by this host.
        Egress = 0,
        /// Received by this host.
        Ingress = 1,
    }
}

numbered! {
    /// Index into the map `COUNTERS`.
    Counter {
        /// Records for which the ring buffer had no place.
        RingBufferFull = 0,
        /// Connections for which the map had no place.
        ConnectionMapFull = 1,
        /// Connections put into the map. More than were taken out and are still there: the LRU dropped some.
        ConnectionsAdded = 2,
        /// Commands and errors that were not told: their connections told too much.
        Untold = 3,
    }
}

impl Counter {
    /// How many there are.
    pub const COUNT: u32 = 4;
}

/// What a segment changed: bits of [`SegmentRecord::transitions`].
pub mod transition {
    /// SYN or SYN-ACK, the first of its direction.
    pub const SYN: u32 = 1;
    /// The window closed.
    pub const ZERO_WINDOW: u32 = 1 << 1;
    /// The window opened.
    pub const WINDOW_UPDATE: u32 = 1 << 2;
    /// It probes the closed window of the other end.
    pub const ZERO_WINDOW_PROBE: u32 = 1 << 3;
    /// It says again that the window is closed.
    pub const ZERO_WINDOW_PROBE_ACK: u32 = 1 << 4;
    /// FIN, the first of its direction.
    pub const FIN: u32 = 1 << 5;
    /// RST, the first of its direction.
    pub const RST: u32 = 1 << 6;
    /// All of them.
    pub const ALL: u32 = (1 << 7) - 1;
}

/// How every record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// When it happened.
    pub at: u64,
    /// The socket's cookie; 0 where the kernel tells none.
    pub cookie: u64,
    /// The socket's addresses.
    pub ends: Ends,
    /// A [`RecordKind`].
    pub kind: u32,
    /// A [`Direction`]; 0 in records that have none.
    pub direction: u32,
}

/// A segment that changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SegmentRecord {
    /// How every record begins.
    pub header: Header,
    /// Bits of [`transition`].
    pub transitions: u32,
    /// Its sequence number.
    pub seq: u32,
    /// Its acknowledgement number.
    pub ack: u32,
    /// Bytes of payload.
    pub payload: u32,
    /// Its window field.
    pub window: u16,
    /// The sender's window scale, or one of [`scale`](crate::scale).
    pub scale: u8,
    /// The receiver's.
    pub peer_scale: u8,
    /// Of a server's FIN: the end of its last payload, or of its own. Zero, also in `tail.payload`, where it is not
    /// known.
    pub tail: Tail,
    /// Zero.
    pub reserved: u32,
}

/// The beginning of something that server or client has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TextRecord {
    /// How every record begins.
    pub header: Header,
    /// How many of `bytes` are meant; the others are left from earlier records.
    pub length: u32,
    /// Zero.
    pub reserved: u32,
    /// From the header of the MySQL packet on, or from that of the compressed packet it is in.
    pub bytes: [u8; TEXT_BYTES],
}

/// The client's answer to the greeting, without the response by which it proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct LoginRecord {
    /// How every record begins.
    pub header: Header,
    /// How many bytes of `head` are meant.
    pub head_length: u32,
    /// How many bytes of `rest` are meant.
    pub rest_length: u32,
    /// From the header of the MySQL packet up to the zero behind the user's name; up to the name where its end was not
    /// found.
    pub head: [u8; LOGIN_HEAD],
    /// What stands behind the response.
    pub rest: [u8; LOGIN_REST],
}

/// A change of state (`inet_sock_set_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct StateRecord {
    /// How every record begins.
    pub header: Header,
    /// The state it was, as the kernel numbers them (`include/net/tcp_states.h`).
    pub from: u32,
    /// The state it is.
    pub to: u32,
    /// The process that did it, in the host's first pid namespace; 0 where the kernel did it by itself.
    pub tgid: u32,
    /// Its thread.
    pub tid: u32,
    /// The thread's name, ended by a zero.
    pub comm: [u8; 16],
}

/// A thread's `poll` or `ppoll` until it can write to one file descriptor, which is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Wait {
    /// When it began.
    pub at: u64,
    /// Its timeout in nanoseconds.
    pub timeout: u64,
    /// The file descriptor.
    pub fd: i32,
    /// Whether a signal has interrupted it, 0 or 1: the kernel begins it again with the rest of its time, unless the
    /// process does something else.
    pub interrupted: u32,
}

/// A [`Wait`] that has taken at least [`SHORT_WAIT`] is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct WaitRecord {
    /// How every record begins; without addresses, as what the descriptor means is not known here.
    pub header: Header,
    /// What is over.
    pub wait: Wait,
    /// The process, in the host's first pid namespace.
    pub tgid: u32,
    /// Its thread.
    pub tid: u32,
    /// What the system call returned: 0 if the time was up.
    pub result: i64,
}

/// Waits of a server that are shorter than this many nanoseconds are not told: it is as fast as its client.
pub const SHORT_WAIT: u64 = 100_000_000;

/// The socket is gone (`tcp_destroy_sock`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct DestroyedRecord {
    /// How every record begins.
    pub header: Header,
}

const _: () = {
    assert!(size_of::<Header>() == 64);
    assert!(size_of::<SegmentRecord>() == 112);
    assert!(size_of::<TextRecord>() == 328);
    assert!(size_of::<LoginRecord>() == 456);
    assert!(size_of::<StateRecord>() == 96);
    assert!(size_of::<DestroyedRecord>() == 64);
    assert!(size_of::<WaitRecord>() == 104);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_what_they_were() {
        for kind in [RecordKind::Segment, RecordKind::Greeting, RecordKind::Command, RecordKind::NextCommand]
        {
            assert_eq!(RecordKind::try_from(kind as u32), Ok(kind));
        }
        assert_eq!(RecordKind::try_from(0), Err(UnknownNumber(0)));
        assert_eq!(Direction::try_from(1), Ok(Direction::Ingress));
        assert_eq!(Direction::try_from(2), Err(UnknownNumber(2)));
    }

    #[test]
    fn every_counter_has_its_place() {
        assert!((0..Counter::COUNT).all(|number| Counter::try_from(number).is_ok()));
        assert_eq!(Counter::try_from(Counter::COUNT), Err(UnknownNumber(Counter::COUNT)));
    }
}
