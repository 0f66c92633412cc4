//! The host's traffic beside the observer when there is much of it: connections that come and go, packets that are none
//! of its business, a ring buffer that nobody empties; and what the observer finds and takes when many are open.

use std::collections::HashSet;
use std::fmt;
use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};
use serde::Serialize;

use crate::cpus::Halves;
use crate::crowd::Crowd;
use crate::holders::Holders;
use crate::live::Live;
use crate::memory::status;
use crate::progress::Progress;
use crate::statistics::Spread;

/// Connections of a burst, one after the other.
const SHORT: usize = 50_000;
/// Connections that are open at the same time, and those of them that stall.
const OPEN: usize = 20_000;
const STALLED: usize = 500;
/// How long packets of no observed port are sent in one turn.
const TURN: Duration = Duration::from_millis(500);
/// Packets that one system call sends or receives.
const AT_ONCE: usize = 64;
/// Stalls that are not found by then are not found.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    rounds: u32,
    /// Connections a second of a burst: with nobody, with the observer, and with one that is stopped.
    short: [Spread; 3],
    /// By those with nobody before and after.
    short_ratio: [Spread; 2],
    /// What the stopped one has lost and said when it went on, in records.
    lost: u64,
    /// Packets a second of another port: with nobody, and with the observer.
    packets: [Spread; 2],
    packets_ratio: Spread,
    open: Open,
}

/// The observer when many connections are open.
#[derive(Debug, Serialize)]
struct Open {
    connections: usize,
    /// Processes that had them open.
    processes: usize,
    stalled: usize,
    found: usize,
    /// From when the last of them stalled to when the last of them was told, in seconds.
    told_after: f64,
    /// Resident memory, in bytes.
    resident: u64,
    lost: u64,
}

/// Measures in turn, round by round.
pub(crate) fn measure(rounds: u32) -> anyhow::Result<Load> {
    let progress = Progress::new("load");
    let mut crowd = Crowd::new()?;
    let cpus = Halves::new()?;
    let (mut short, mut short_ratio) = ([Vec::new(), Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let (mut packets, mut packets_ratio) = ([Vec::new(), Vec::new()], Vec::new());
    let mut lost = 0;
    for round in 0..rounds {
        progress.round(round, rounds);
        let (unwatched, other_unwatched) = (burst(&mut crowd)?, flood(&cpus)?);
        let live = Live::start(crowd.port(), None)?;
        let (watched, other_watched) = (burst(&mut crowd)?, flood(&cpus)?);
        live.stop()?;
        let live = Live::start(crowd.port(), None)?;
        live.signal(Signal::SIGSTOP)?;
        let full = burst(&mut crowd)?;
        live.signal(Signal::SIGCONT)?;
        lost = wait_loss(&live)?;
        live.stop()?;
        let after = burst(&mut crowd)?;
        let usual = f64::midpoint(unwatched, after);
        for (numbers, number) in short.iter_mut().zip([usual, watched, full]) {
            numbers.push(number);
        }
        for (ratios, number) in short_ratio.iter_mut().zip([watched, full]) {
            ratios.push(number / usual);
        }
        let other_usual = f64::midpoint(other_unwatched, flood(&cpus)?);
        packets[0].push(other_usual);
        packets[1].push(other_watched);
        packets_ratio.push(other_watched / other_usual);
    }
    progress.say("many open connections");
    Ok(Load {
        rounds,
        short: short.map(Spread::of),
        short_ratio: short_ratio.map(Spread::of),
        lost,
        packets: packets.map(Spread::of),
        packets_ratio: Spread::of(packets_ratio),
        open: open(&mut crowd)?,
    })
}

/// Connections a second.
#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
fn burst(crowd: &mut Crowd) -> anyhow::Result<f64> {
    let since = Instant::now();
    crowd.burst(SHORT)?;
    Ok(SHORT as f64 / since.elapsed().as_secs_f64())
}

/// Packets a second that come from one half of the CPUs to the other, as many as go.
fn flood(cpus: &Halves) -> anyhow::Result<f64> {
    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    receiver.set_read_timeout(Some(Duration::from_millis(50)))?;
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    sender.connect(receiver.local_addr()?)?;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let receiving = scope.spawn(|| cpus.as_server(|| receive(&receiver, &ended)));
        let sent = cpus.as_client(|| send(&sender));
        ended.store(true, Ordering::Relaxed);
        let packets = receiving.join().map_err(|_| anyhow::anyhow!("the receiver panicked"))??;
        sent?;
        Ok(packets)
    })
}

fn send(socket: &UdpSocket) -> anyhow::Result<()> {
    let payload = [IoSlice::new(&[b'x'; 64])];
    let slices = [payload; AT_ONCE];
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(AT_ONCE, None);
    let since = Instant::now();
    while since.elapsed() < TURN {
        match sendmmsg(socket.as_raw_fd(), &mut headers, &slices, [None; AT_ONCE], [], MsgFlags::empty()) {
            Ok(_) | Err(Errno::ENOBUFS) => {}
            Err(error) => return Err(error).context("sending packets"),
        }
    }
    Ok(())
}

/// Counts what arrives while it is sent: it passes both programs, as what is dropped for want of room does not.
#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
fn receive(socket: &UdpSocket, ended: &AtomicBool) -> anyhow::Result<f64> {
    let mut buffers = [[0_u8; 64]; AT_ONCE];
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(AT_ONCE, None);
    let (mut received, since) = (0_u64, Instant::now());
    while !ended.load(Ordering::Relaxed) {
        let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let flags = MsgFlags::MSG_WAITFORONE;
        match recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None) {
            Ok(messages) => received += messages.count() as u64,
            Err(Errno::EAGAIN) => {}
            Err(error) => return Err(error).context("receiving packets"),
        }
    }
    Ok(received as f64 / since.elapsed().as_secs_f64())
}

/// Many connections, some of which stall at once.
fn open(crowd: &mut Crowd) -> anyhow::Result<Open> {
    let live = Live::with(crowd.port(), &["--max-connections", "65536"])?;
    let holders = Holders::open(OPEN - STALLED, crowd.port())?;
    let mut pairs = crowd.open_many(STALLED)?;
    let mut missing = HashSet::new();
    for pair in &mut pairs {
        pair.stall()?;
        missing.insert(pair.client()?);
    }
    let since = Instant::now();
    let mut told_after = Duration::ZERO;
    while !missing.is_empty() && since.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(50));
        let before = missing.len();
        for line in live.said().iter().filter(|line| line.contains("stopped reading")) {
            let client = line.split_ascii_whitespace().nth(1).and_then(|client| client.parse().ok());
            if let Some::<SocketAddr>(client) = client {
                missing.remove(&client);
            }
        }
        if missing.len() < before {
            told_after = since.elapsed();
        }
    }
    let resident = status(&live, "VmRSS:")?;
    let lost = loss(&live.said()).unwrap_or(0);
    live.stop()?;
    Ok(Open {
        connections: OPEN,
        processes: holders.processes() + 1,
        stalled: STALLED,
        found: STALLED - missing.len(),
        told_after: told_after.as_secs_f64(),
        resident,
        lost,
    })
}

/// What it has said that it lost, once it has said so.
fn wait_loss(live: &Live) -> anyhow::Result<u64> {
    let since = Instant::now();
    loop {
        if let Some(lost) = loss(&live.said()) {
            return Ok(lost);
        }
        anyhow::ensure!(since.elapsed() < PATIENCE, "observer does not say what it has lost");
        thread::sleep(Duration::from_millis(50));
    }
}

/// All that was lost, by the last line that says so: `TIME  -  lost  N observations were lost …, M so far`.
fn loss(lines: &[String]) -> Option<u64> {
    let line = lines.iter().rev().find(|line| line.contains("  -  lost  "))?;
    line.split(|c: char| !c.is_ascii_digit() && c != ',')
        .filter_map(|number| number.replace(',', "").parse().ok())
        .next_back()
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, short, short_ratio, lost, packets, packets_ratio, open } = self;
        writeln!(f, "\nload, {rounds} rounds")?;
        writeln!(f, "  {SHORT} short connections, a second")?;
        writeln!(f, "    nobody              {:.0}", short[0])?;
        writeln!(f, "    observer            {:.0}, ratio {:.3}", short[1], short_ratio[0])?;
        writeln!(
            f,
            "    stopped, full ring  {:.0}, ratio {:.3}; {lost} lost and said",
            short[2], short_ratio[1]
        )?;
        writeln!(f, "  packets of another port, thousand a second")?;
        writeln!(f, "    nobody              {:.0}", packets[0].scaled(1e-3))?;
        writeln!(f, "    observer            {:.0}, ratio {packets_ratio:.3}", packets[1].scaled(1e-3))?;
        let Open { connections, processes, stalled, found, told_after, resident, lost } = open;
        writeln!(
            f,
            "  {connections} open in {processes} processes, {stalled} of them stall: {found} found, the last after {told_after:.1} s"
        )?;
        writeln!(f, "    {:.1} MiB resident, {lost} lost", crate::report::mib(*resident))
    }
}
