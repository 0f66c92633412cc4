//! Waits that were under way before the programs were attached.
//!
//! In a full stall the server is blocked before anybody can know of it. What it waits for stands in `/proc`: the system
//! call with its arguments in `/proc/PID/task/TID/syscall`, what they point at in `/proc/PID/mem`.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use nix::libc;

/// `include/uapi/asm-generic/poll.h`.
const POLLOUT: i16 = 4;

/// A thread that waits until it can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) tid: u32,
    pub(super) fd: i32,
    /// In nanoseconds.
    pub(super) timeout: u64,
    call: Call,
    /// How often the thread had gone to sleep by then.
    sleeps: u64,
}

impl Present {
    /// Whether it is the same wait still: the thread sleeps, and has not gone to sleep anew. Then whatever was read meanwhile
    /// shows it.
    pub(super) fn goes_on(&self, pid: u32) -> bool {
        Call::of(pid, self.tid) == Some(self.call) && sleeps(pid, self.tid) == Some(self.sleeps)
    }
}

/// The threads of a process that wait now. One that cannot be read has gone, or is none of ours.
pub(super) fn of(pid: u32) -> Vec<Present> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let Ok(memory) = File::open(format!("/proc/{pid}/mem")) else { return Vec::new() };
    let tids = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok());
    tids.filter_map(|tid| {
        let call = Call::of(pid, tid)?;
        let sleeps = sleeps(pid, tid)?;
        let (fd, timeout) = call.read(|at, bytes| memory.read_exact_at(bytes, at).ok())?;
        // It is still the same one: what was read belongs to it.
        let wait = Present { tid, fd, timeout, call, sleeps };
        wait.goes_on(pid).then_some(wait)
    })
    .collect()
}

/// How often a thread has gone to sleep.
fn sleeps(pid: u32, tid: u32) -> Option<u64> {
    voluntary_switches(&fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).ok()?)
}

/// `voluntary_ctxt_switches: 42`, with a tab before the number.
fn voluntary_switches(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

/// A system call that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    number: i64,
    arguments: [u64; 3],
    /// The stack pointer.
    stack: u64,
}

impl Call {
    fn of(pid: u32, tid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?)
    }

    /// `271 0x7f… 0x1 0x7f… 0x0 0x8 0x0 0x7f… 0x7f…`, or `running`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let values: Vec<u64> =
            words.map_while(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()).collect();
        Some(Self { number, arguments: values.get(..3)?.try_into().ok()?, stack: *values.get(6)? })
    }

    /// The one file descriptor it wants to write to, and its timeout. `peek` reads the process's memory.
    fn read(&self, peek: impl Fn(u64, &mut [u8]) -> Option<()>) -> Option<(i32, u64)> {
        let [ufds, 1, timeout] = self.arguments else { return None };
        let [mut fd, mut events] = [[0; 4], [0; 4]];
        peek(ufds, &mut fd)?;
        peek(ufds + 4, &mut events)?;
        if i16::from_ne_bytes([events[0], events[1]]) & POLLOUT == 0 {
            return None;
        }
        let timeout = if self.number == libc::SYS_ppoll {
            let [mut seconds, mut nanoseconds] = [[0; 8], [0; 8]];
            peek(timeout, &mut seconds)?;
            peek(timeout + 8, &mut nanoseconds)?;
            u64::from_ne_bytes(seconds)
                .checked_mul(1_000_000_000)?
                .checked_add(u64::from_ne_bytes(nanoseconds))?
        } else if is_poll(self.number) {
            let millis = u32::try_from(timeout & u64::from(u32::MAX)).ok()?.cast_signed();
            u64::try_from(millis).ok()? * 1_000_000
        } else {
            return None;
        };
        Some((i32::from_ne_bytes(fd), timeout))
    }
}

/// Newer architectures have no `poll`: their C library makes a `ppoll` of it.
fn is_poll(number: i64) -> bool {
    #[cfg(target_arch = "x86_64")]
    return number == libc::SYS_poll;
    #[cfg(not(target_arch = "x86_64"))]
    return number < 0;
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// A process's memory that begins at 0x1000: a `pollfd` of descriptor 42, and a `timespec` of 60.5 s.
    fn peek(events: u8) -> impl Fn(u64, &mut [u8]) -> Option<()> {
        let mut memory = vec![42, 0, 0, 0, events, 0, 0, 0];
        memory.extend(60_u64.to_ne_bytes());
        memory.extend(500_000_000_u64.to_ne_bytes());
        move |at, bytes| {
            let from = usize::try_from(at.checked_sub(0x1000)?).ok()?;
            bytes.copy_from_slice(memory.get(from..from + bytes.len())?);
            Some(())
        }
    }

    #[test]
    fn a_wait_is_read_from_its_arguments() {
        let ppoll = format!("{} 0x1000 0x1 0x1008 0x0 0x8 0x0 0x7ffe00 0x7fff00", libc::SYS_ppoll);
        let call = Call::parse(&ppoll).unwrap();
        assert_eq!(call.read(peek(4)), Some((42, 60_500_000_000)));
        assert_eq!(call.read(peek(1)), None, "it waits for something to read");
        assert_eq!(call.read(|_, _| None), None, "its memory cannot be read");
        let two = Call { arguments: [0x1000, 2, 0x1008], ..call };
        assert_eq!(two.read(peek(4)), None, "two descriptors");
        let other = Call { number: libc::SYS_read, ..call };
        assert_eq!(other.read(peek(4)), None, "another system call");
        let forever = Call { arguments: [0x1000, 1, 0], ..call };
        assert_eq!(forever.read(peek(4)), None, "no timeout");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn poll_counts_milliseconds_and_negative_is_none() {
        let call = |timeout: u64| Call { number: libc::SYS_poll, arguments: [0x1000, 1, timeout], stack: 0 };
        assert_eq!(call(5_000).read(peek(4)), Some((42, 5_000_000_000)));
        assert_eq!(call(u64::from(u32::MAX)).read(peek(4)), None);
    }

    #[test]
    fn how_often_a_thread_has_slept_is_read() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t42\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(voluntary_switches(status), Some(42));
        assert_eq!(voluntary_switches("nonvoluntary_ctxt_switches:\t7\n"), None);
    }

    #[test]
    fn a_wait_that_another_has_followed_does_not_go_on() {
        let (mut wakes, slept) = std::io::pipe().unwrap();
        let (told, tid) = std::sync::mpsc::channel();
        let sleeper = std::thread::spawn(move || {
            told.send(nix::unistd::gettid().as_raw().cast_unsigned()).unwrap();
            // It sleeps once for each byte.
            let mut byte = [0];
            while wakes.read(&mut byte).unwrap() > 0 {}
        });
        let (pid, tid) = (std::process::id(), tid.recv().unwrap());
        let asleep = || loop {
            if let Some(call) = Call::of(pid, tid).filter(|call| call.number == libc::SYS_read) {
                return Present { tid, fd: 0, timeout: 0, call, sleeps: sleeps(pid, tid).unwrap() };
            }
        };
        let first = asleep();
        assert!(first.goes_on(pid));
        (&slept).write_all(b"x").unwrap();
        while first.goes_on(pid) {}
        let second = asleep();
        assert!(second.call == first.call && second.goes_on(pid) && !first.goes_on(pid));
        drop(slept);
        sleeper.join().unwrap();
        assert!(!second.goes_on(pid));
    }

    #[test]
    fn a_thread_that_runs_waits_for_nothing() {
        assert_eq!(Call::parse("running\n"), None);
        assert_eq!(Call::parse("-1 0x7ffe 0x7fff\n"), None);
        assert_eq!(Call::parse(""), None);
    }
}
