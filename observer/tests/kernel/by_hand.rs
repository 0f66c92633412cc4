//! A client whose TCP is made by hand, on a TUN device in a network namespace of its own: it advertises what no kernel
//! would, and says everything late, twice or in the wrong order.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::Command;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use observer_core::{End, SeqNumber, SocketEventKind, Vantage};

use crate::harness::{GREETING, Observed, run};
use crate::raw::{Segment, flag};

/// The host, and the client behind its device.
const HOST: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

/// Where the client's numbers begin: they wrap within its first command.
const FIRST: u32 = u32::MAX - 100;

/// How long a segment of the server is waited for, in milliseconds: it repeats what gets lost sooner.
const PATIENCE: u16 = 20_000;

/// How much the server says first.
#[expect(clippy::cast_possible_truncation, reason = "a greeting is short")]
const LENGTH: u32 = GREETING.len() as u32;

/// The client.
struct Client {
    device: File,
    address: SocketAddrV4,
    server: SocketAddrV4,
    seq: u32,
    /// What it has received in order.
    received: u32,
    /// The shift of its windows, as the kernel understands its SYN.
    shift: u8,
}

/// Runs `work` on a host of its own that has nothing but the device. The sockets it makes stay there.
fn on_a_host<T: Send + 'static>(work: impl FnOnce(File) -> T + Send + 'static) -> T {
    let host = move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let device = File::options().read(true).write(true).open("/dev/net/tun").unwrap();
        // `struct ifreq` with a name of the kernel's choice and the flags IFF_TUN and IFF_NO_PI
        // (include/uapi/linux/if.h, if_tun.h).
        let mut request = [0_u8; 40];
        request[..4].copy_from_slice(b"hand");
        request[16..18].copy_from_slice(&0x1001_u16.to_ne_bytes());
        // SAFETY: the request is as long as the kernel reads and writes.
        let made = unsafe { nix::libc::ioctl(device.as_raw_fd(), 0x4004_54ca, request.as_mut_ptr()) };
        assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
        for command in ["address add 10.99.0.1/24 dev hand", "link set hand up"] {
            assert!(Command::new("ip").args(command.split(' ')).status().unwrap().success());
        }
        work(device)
    };
    std::thread::spawn(host).join().unwrap()
}

impl Client {
    /// Opens a connection with a window scale that RFC 7323 does not know.
    fn connect(device: File, server: SocketAddrV4, listener: &TcpListener) -> (Self, TcpStream) {
        let address = SocketAddrV4::new(CLIENT, 40_000);
        let mut client = Self { device, address, server, seq: FIRST, received: 0, shift: 0 };
        client.send(flag::SYN, 1000, &[], Some(200));
        client.seq = client.seq.wrapping_add(1);
        let answer = client.receive();
        assert_eq!(answer.flags, flag::SYN | flag::ACK);
        client.received = answer.seq.wrapping_add(1);
        // RFC 7323, 2.3.
        client.shift = 14;
        client.send(flag::ACK, 4, &[], None);
        let accepted = listener.accept().unwrap().0;
        accepted.set_read_timeout(Some(Duration::from_millis(PATIENCE.into()))).unwrap();
        (client, accepted)
    }

    fn segment(&self) -> Segment {
        let Self { address: from, server: to, seq, received: ack, .. } = *self;
        Segment { from, to, seq, ack, flags: flag::ACK, window: 4, scale: None }
    }

    fn send(&mut self, flags: u8, window: u16, payload: &[u8], scale: Option<u8>) {
        let segment = Segment { flags, window, scale, ..self.segment() };
        self.device.write_all(&segment.packet(payload)).unwrap();
    }

    /// The next segment of the server; takes it as received if it comes in order.
    fn receive(&mut self) -> Segment {
        let mut packet = vec![0; 65_536];
        loop {
            let mut device = [PollFd::new(self.device.as_fd(), PollFlags::POLLIN)];
            assert_eq!(poll(&mut device, PollTimeout::from(PATIENCE)), Ok(1), "the server sends nothing");
            let length = self.device.read(&mut packet).unwrap();
            let Some((segment, payload)) = Segment::parse(&packet[..length]) else { continue };
            if segment.seq == self.received {
                self.received = self.received.wrapping_add(u32::try_from(payload).unwrap());
            }
            return segment;
        }
    }

    /// Takes everything until so many bytes have come, acknowledged with this window.
    fn take(&mut self, until: u32, window: u16) {
        while (until.wrapping_sub(self.received)).cast_signed() > 0 {
            self.receive();
            self.send(flag::ACK, window, &[], None);
        }
    }
}

#[test]
fn absurd_late_and_repeated_segments_of_a_client_make_no_wrong_picture() {
    run("absurd_late_and_repeated_segments_of_a_client_make_no_wrong_picture", async {
        let (device, listener) = on_a_host(|device| (device, TcpListener::bind((HOST, 0)).unwrap()));
        let port = listener.local_addr().unwrap().port();
        let mut told = Observed::start_at(SocketAddrV4::new(HOST, port).into()).await;
        let (mut client, mut server) = Client::connect(device, SocketAddrV4::new(HOST, port), &listener);
        let begins = client.received;

        // The numbers wrap in this command, of which the second half comes first, and all of it twice.
        let command = [b'c'; 400];
        let first = client.seq;
        for half in [1, 0, 1, 0] {
            client.seq = first.wrapping_add(200 * half);
            client.send(flag::ACK | 8, 4, &command[..200], None);
        }
        client.seq = first.wrapping_add(400);
        server.read_exact(&mut [0; 400]).unwrap();
        server.write_all(GREETING).unwrap();
        client.take(begins.wrapping_add(LENGTH), 4);
        let sample = told
            .until("what the client has sent", |told| {
                let sample = told.last_sample(Vantage::Server)?;
                (sample.client.sent == 400 && sample.client.acknowledged == u64::from(LENGTH))
                    .then(|| sample.clone())
            })
            .await;
        assert_eq!(sample.client.next_seq, SeqNumber(FIRST.wrapping_add(401)));
        assert_eq!((sample.client.window, sample.client.zero_windows), (Some(4 << 14), 0));

        // A window that is taken back is smaller, and not closed; an old acknowledgement with a window of zero says nothing.
        let old = Segment { ack: begins, window: 0, ..client.segment() };
        client.send(flag::ACK, 1, &[], None);
        client.device.write_all(&old.packet(&[])).unwrap();
        told.until("the smaller window", |told| {
            let client = &told.last_sample(Vantage::Server)?.client;
            (client.window == Some(1 << 14)).then(|| assert_eq!(client.zero_windows, 0))
        })
        .await;

        // It closes; said twice it has closed once. The server has more to say, and probes.
        client.send(flag::ACK, 0, &[], None);
        client.send(flag::ACK, 0, &[], None);
        server.write_all(&[b'r'; 1000]).unwrap();
        let is_closed =
            |kind: &SocketEventKind| matches!(kind, SocketEventKind::ZeroWindow { by: End::Client, .. });
        told.until_told(Vantage::Server, "the closed window", is_closed).await;
        let is_probe = |kind: &SocketEventKind| *kind == SocketEventKind::ZeroWindowProbe { by: End::Server };
        told.until_told(Vantage::Server, "the probe", is_probe).await;

        // It opens for the largest there is, and the rest is delivered.
        let opened = u32::from(u16::MAX) << client.shift;
        client.send(flag::ACK, u16::MAX, &[], None);
        let is_open = |kind: &SocketEventKind| matches!(kind, SocketEventKind::WindowUpdate { by: End::Client, window: Some(window), .. } if *window == opened);
        told.until_told(Vantage::Server, "the open window", is_open).await;
        client.take(begins.wrapping_add(1000 + LENGTH), u16::MAX);

        client.send(flag::RST, 0, &[], None);
        let is_reset = |kind: &SocketEventKind| *kind == SocketEventKind::Reset { by: End::Client };
        told.until_told(Vantage::Server, "the reset", is_reset).await;
        assert_eq!(told.sockets().filter(|event| is_closed(&event.kind)).count(), 1);
        assert_eq!(told.lost(), 0);
    });
}
