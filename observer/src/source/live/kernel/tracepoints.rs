//! The tracepoints: which fields their programs need, and what is lost without each.

use anyhow::Context as _;
use aya::Ebpf;
use aya::programs::TracePoint;
use aya::programs::trace_point::TracePointLinkId;
use observer_common::{Config, CookieField, PollFields, ResetFields, ResultField, StateFields};

use crate::source::live::tracefs::{Format, Tracefs};

/// A tracepoint and its program.
#[derive(Debug)]
pub(crate) struct Tracepoint {
    /// The program's name in the object.
    pub(crate) program: &'static str,
    /// `sock`, `tcp`.
    pub(crate) category: &'static str,
    /// The event's name.
    pub(crate) event: &'static str,
    /// What cannot be known without it.
    pub(crate) without: &'static str,
    /// Puts the offsets of its fields into the configuration.
    locate: fn(&Format, &mut Config) -> anyhow::Result<()>,
}

impl Tracepoint {
    /// What it is called when it is missing.
    pub(crate) fn part(&self) -> String {
        format!("tracepoint {}:{}", self.category, self.event)
    }

    /// Reads where the running kernel keeps the fields.
    ///
    /// # Errors
    ///
    /// When this kernel has no such tracepoint, or it lacks a field.
    pub(crate) fn locate(&self, tracefs: &Tracefs, config: &mut Config) -> anyhow::Result<()> {
        (self.locate)(&tracefs.format(&format!("{}/{}", self.category, self.event))?, config)
    }

    /// Its program.
    ///
    /// # Errors
    ///
    /// When the object has none.
    pub(super) fn program<'a>(&self, ebpf: &'a mut Ebpf) -> anyhow::Result<&'a mut TracePoint> {
        let program = ebpf.program_mut(self.program);
        Ok(program.with_context(|| format!("the object has no program {}", self.program))?.try_into()?)
    }

    /// Attaches its program, which is loaded.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, or the calling thread sees no tracefs.
    pub(super) fn attach(&self, ebpf: &mut Ebpf) -> anyhow::Result<TracePointLinkId> {
        let (category, event) = (self.category, self.event);
        let attached = self.program(ebpf)?.attach(category, event);
        attached.with_context(|| format!("attaching to {category}:{event}"))
    }
}

/// A process reads: attached only while somebody may have stopped, see [`reads`](super::reads).
pub(crate) const READS: Tracepoint = Tracepoint {
    program: "observer_read",
    category: "tcp",
    event: "tcp_rcv_space_adjust",
    without: "when and by which process a connection was read last while a window was closed",
    locate: |format, config| {
        config.rcv_space_adjust = cookie(format)?;
        Ok(())
    },
};

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Tracepoint> {
    SOCKETS.iter().chain(waits())
}

/// What happens to sockets.
static SOCKETS: [Tracepoint; 5] = [
    Tracepoint {
        program: "observer_state",
        category: "sock",
        event: "inet_sock_set_state",
        without: "which process opens and closes a connection, and when a server closes while its FIN is stuck",
        locate: |format, config| {
            config.state = state(format)?;
            Ok(())
        },
    },
    READS,
    Tracepoint {
        program: "observer_receive_reset",
        category: "tcp",
        event: "tcp_receive_reset",
        without: "whether the kernel has accepted a reset or ignored a forged one",
        locate: |format, config| {
            config.receive_reset = cookie(format)?;
            config.received_resets_traced = 1;
            Ok(())
        },
    },
    Tracepoint {
        program: "observer_send_reset",
        category: "tcp",
        event: "tcp_send_reset",
        without: "resets this host sends in answer to a segment, or by a server that has closed",
        locate: |format, config| {
            config.send_reset = reset(format)?;
            config.sent_resets_traced = 1;
            Ok(())
        },
    },
    Tracepoint {
        program: "observer_destroy",
        category: "tcp",
        event: "tcp_destroy_sock",
        without: "the silent end of an orphaned connection at once",
        locate: |format, config| {
            config.destroy_sock = cookie(format)?;
            Ok(())
        },
    },
];

/// What cannot be known without a server's own waits.
const WITHOUT_WAITS: &str =
    "the exact net_write_timeout in force on this host's servers, and the exact start and end of their waits";

/// The pair of tracepoints of a system call.
macro_rules! waits {
    ($fields:ident, $result:ident, $timeout:literal, $enter:literal, $exit:literal, $begins:literal, $ends:literal) => {
        [
            Tracepoint {
                program: $begins,
                category: "syscalls",
                event: $enter,
                without: WITHOUT_WAITS,
                locate: |format, config| {
                    config.$fields = poll(format, $timeout)?;
                    Ok(())
                },
            },
            Tracepoint {
                program: $ends,
                category: "syscalls",
                event: $exit,
                without: WITHOUT_WAITS,
                locate: |format, config| {
                    config.$result = ResultField { ret: format.offset("ret", 8)? };
                    Ok(())
                },
            },
        ]
    };
}

/// How servers wait, MySQL by `ppoll`: attached only while one may wait, see [`waits`](super::waits).
static PPOLL: [Tracepoint; 2] = waits!(
    ppoll,
    ppoll_result,
    "tsp",
    "sys_enter_ppoll",
    "sys_exit_ppoll",
    "observer_ppoll",
    "observer_ppoll_end"
);

/// And MariaDB by `poll`.
static POLL: [Tracepoint; 2] = waits!(
    poll,
    poll_result,
    "timeout_msecs",
    "sys_enter_poll",
    "sys_exit_poll",
    "observer_poll",
    "observer_poll_end"
);

/// Newer architectures have no `poll`: their C library makes a `ppoll` of it.
const HAS_POLL: bool = cfg!(target_arch = "x86_64");

/// How servers wait.
fn waits() -> impl Iterator<Item = &'static Tracepoint> {
    PPOLL.iter().chain(POLL.iter().filter(|_| HAS_POLL))
}

impl Tracepoint {
    /// Whether it follows servers' waits.
    pub(super) fn is_of_waits(&self) -> bool {
        self.category == "syscalls"
    }
}

fn poll(format: &Format, timeout: &str) -> anyhow::Result<PollFields> {
    // However large an argument is, the record has a word for it.
    Ok(PollFields {
        ufds: format.offset("ufds", 8)?,
        nfds: format.offset("nfds", 8)?,
        timeout: format.offset(timeout, 8)?,
    })
}

fn state(format: &Format) -> anyhow::Result<StateFields> {
    Ok(StateFields {
        skaddr: format.offset("skaddr", 8)?,
        oldstate: format.offset("oldstate", 4)?,
        newstate: format.offset("newstate", 4)?,
        sport: format.offset("sport", 2)?,
        dport: format.offset("dport", 2)?,
        protocol: format.offset("protocol", 2)?,
        saddr_v6: format.offset("saddr_v6", 16)?,
        daddr_v6: format.offset("daddr_v6", 16)?,
    })
}

fn cookie(format: &Format) -> anyhow::Result<CookieField> {
    Ok(CookieField { sock_cookie: format.offset("sock_cookie", 8)? })
}

fn reset(format: &Format) -> anyhow::Result<ResetFields> {
    const SOCKADDR_IN6: u16 = 28;
    let mut fields = ResetFields {
        skaddr: format.offset("skaddr", 8)?,
        state: format.offset("state", 4)?,
        ..bytemuck::Zeroable::zeroed()
    };
    if format.size("saddr") == Some(SOCKADDR_IN6) {
        fields.sockaddrs = 1;
        fields.saddr = format.offset("saddr", SOCKADDR_IN6)?;
        fields.daddr = format.offset("daddr", SOCKADDR_IN6)?;
    } else {
        fields.sport = format.offset("sport", 2)?;
        fields.dport = format.offset("dport", 2)?;
        fields.saddr_v6 = format.offset("saddr_v6", 16)?;
        fields.daddr_v6 = format.offset("daddr_v6", 16)?;
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_has_two_layouts() {
        let before_6_10 = Format::parse(
            "field:const void * skbaddr; offset:8; size:8; signed:0;
             field:const void * skaddr; offset:16; size:8; signed:0;
             field:int state; offset:24; size:4; signed:1;
             field:__u16 sport; offset:28; size:2; signed:0;
             field:__u16 dport; offset:30; size:2; signed:0;
             field:__u8 saddr[4]; offset:32; size:4; signed:0;
             field:__u8 saddr_v6[16]; offset:40; size:16; signed:0;
             field:__u8 daddr_v6[16]; offset:56; size:16; signed:0;",
        );
        let fields = reset(&before_6_10).unwrap();
        assert_eq!((fields.sockaddrs, fields.sport, fields.daddr_v6), (0, 28, 56));
        let later = Format::parse(
            "field:const void * skbaddr; offset:8; size:8; signed:0;
             field:const void * skaddr; offset:16; size:8; signed:0;
             field:int state; offset:24; size:4; signed:1;
             field:enum sk_rst_reason reason; offset:28; size:4; signed:0;
             field:__u8 saddr[28]; offset:32; size:28; signed:0;
             field:__u8 daddr[28]; offset:60; size:28; signed:0;",
        );
        let fields = reset(&later).unwrap();
        assert_eq!((fields.sockaddrs, fields.saddr, fields.daddr), (1, 32, 60));
    }

    #[test]
    fn a_layout_that_lacks_a_field_is_not_used() {
        let format = Format::parse("field:__u64 sock_cookie; offset:64; size:4; signed:0;");
        assert!(cookie(&format).is_err());
        assert!(state(&format).is_err());
        assert!(reset(&format).is_err());
    }
}
