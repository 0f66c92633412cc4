//! The cases, by what they are about.

use std::time::Duration;

use anyhow::ensure;
use observer_core::{FindingKind, TimeRange, Timestamp};

use crate::harness::Setup;

mod asked;
mod binlog;
mod blind;
mod calm;
mod clients;
mod containers;
mod demo;
mod drain;
mod faults;
mod loss;
mod many;
mod orphan;
mod owners;
mod session;
mod silence;
mod stall;
mod truth;
mod waits;
mod wire;

/// A case by its name.
type Case = (&'static str, fn(&Setup) -> anyhow::Result<()>);

/// All of them, the long ones first: they run beside each other.
pub(crate) const ALL: &[Case] = &[
    ("an_observer_that_was_stopped_for_a_minute_says_what_it_missed_and_knows_the_rest", blind::a_minute),
    ("the_demo_finds_what_its_actors_do", demo::plain),
    ("the_demo_plays_in_the_view", demo::view),
    ("the_demo_plays_without_privilege", demo::without_privilege),
    ("mysql_stall_is_seen_from_the_host", stall::mysql_from_the_host),
    ("mysql_stall_is_seen_from_the_client", stall::mysql_from_the_client),
    ("mysql_stall_is_seen_from_the_server", stall::mysql_from_the_server),
    ("mysql_stall_on_loopback_is_one_connection", stall::mysql_on_loopback),
    ("mysql_stall_is_seen_over_ipv6", stall::mysql_over_ipv6),
    ("mysql_stall_is_seen_of_a_connection_from_before", stall::mysql_from_before),
    ("mysql_stall_is_seen_from_the_client_without_privilege", stall::mysql_without_privilege_from_the_client),
    ("mysql_stall_is_seen_from_the_server_without_privilege", stall::mysql_without_privilege_from_the_server),
    ("mariadb_stall_is_seen_from_the_host", stall::mariadb_from_the_host),
    ("mariadb_stall_is_seen_from_the_client", stall::mariadb_from_the_client),
    ("mariadb_stall_is_seen_from_the_server", stall::mariadb_from_the_server),
    ("mariadb_stall_on_loopback_is_one_connection", stall::mariadb_on_loopback),
    ("mariadb_stall_is_seen_over_ipv6", stall::mariadb_over_ipv6),
    ("mariadb_stall_is_seen_of_a_connection_from_before", stall::mariadb_from_before),
    ("mariadb_stall_is_seen_without_privilege", stall::mariadb_without_privilege),
    ("the_timeout_a_session_sets_is_the_one_that_runs", session::mysql_set),
    ("the_timeout_a_session_of_mysql_sets_outlives_its_reset", session::mysql_reset),
    ("the_timeout_a_session_of_mariadb_sets_outlives_its_reset", session::mariadb_reset),
    ("the_timeout_of_one_statement_is_the_one_that_runs", session::mariadb_set_statement),
    ("every_kind_of_client_of_mysql_is_told_as_what_it_is", clients::mysql),
    ("every_kind_of_client_of_mariadb_is_told_as_what_it_is", clients::mariadb),
    ("mysqls_sockets_and_its_clients_have_owners", owners::mysql),
    ("mariadbs_sockets_and_its_clients_have_owners", owners::mariadb),
    ("a_socket_is_inherited_and_passed_on_and_dies_with_its_owner", owners::forked_and_passed),
    ("a_client_in_a_container_is_told_as_its_container", containers::podman),
    ("owners_are_seen_without_privilege_as_far_as_they_may", owners::without_privilege),
    ("mysqls_own_wait_is_the_clock", waits::mysql),
    ("mariadbs_own_wait_is_the_clock", waits::mariadb),
    ("what_a_client_of_mysql_asked_for_is_known", wire::mysql),
    ("what_a_client_of_mariadb_asked_for_is_known", wire::mariadb),
    ("what_a_client_asked_for_under_tls_is_said_to_be_hidden", wire::tls),
    ("a_reader_of_mysqls_binary_log_is_told_as_one", binlog::mysql),
    ("a_reader_of_mariadbs_binary_log_is_told_as_one", binlog::mariadb),
    ("mysqlbinlog_is_told_as_what_it_reads", binlog::mysqlbinlog),
    ("mariadb_binlog_is_told_as_what_it_reads", binlog::mariadb_binlog),
    ("mysql_tells_a_sessions_timeout_and_that_it_is_gone", asked::mysql),
    ("mariadb_tells_what_it_can", asked::mariadb),
    ("mysql_is_asked_by_a_session_that_only_reads", asked::read_only::mysql),
    ("mariadb_is_asked_by_a_session_that_only_reads", asked::read_only::mariadb),
    ("mysql_is_asked_by_tls", asked::tls::mysql),
    ("mariadb_is_asked_by_tls", asked::tls::mariadb),
    ("a_server_that_stands_still_is_waited_for_in_vain", asked::stopped),
    ("servers_that_do_not_answer_are_told_once", asked::refused),
    ("a_client_that_reads_on_fails_when_it_was_foretold", drain::mysql),
    ("an_orphan_of_mysql_stays_with_what_it_holds_until_it_has_drained", orphan::mysql),
    ("a_client_that_comes_back_to_a_server_that_is_gone_too_is_told_by_rst", silence::orphan),
    ("a_network_that_is_gone_is_called_the_network", silence::path),
    ("a_network_that_is_gone_is_called_the_network_though_the_server_gives_up_first", silence::given_up),
    ("a_server_that_is_killed_has_crashed", faults::server_killed),
    ("a_client_that_is_killed_is_gone", faults::client_killed),
    ("an_interface_that_is_down_for_a_while_is_no_end", faults::interface_down),
    ("a_network_namespace_that_is_deleted_ends_its_connections", faults::namespace_deleted),
    ("a_cgroup_that_is_deleted_ends_no_connection", faults::cgroup_deleted),
    ("an_observer_that_was_stopped_knows_what_goes_on", faults::observer_stopped),
    ("a_second_port_is_watched_too", many::second_port),
    ("ten_of_200_connections_stall", many::ten_of_200),
    ("a_pause_within_mysqls_timeout_is_recovered_from", calm::mysql_short_pause),
    ("a_pause_within_mariadbs_timeout_is_recovered_from", calm::mariadb_short_pause),
    ("a_fast_query_makes_no_noise", calm::fast_query),
    ("a_full_ring_buffer_is_counted_and_told", loss::tiny_ring_buffer),
    ("the_demo_actors_speak_with_real_ones", truth::demo_actors),
    ("the_tests_know_when_mysql_aborts", truth::mysql),
    ("the_tests_know_when_mariadb_aborts", truth::mariadb),
];

/// net_write_timeout of the cases.
const TIMEOUT: Duration = Duration::from_secs(8);

/// How far two stamps of the same thing may be apart.
const CLOSE: Duration = Duration::from_millis(500);

/// Fails when `seen` is not close to `truth`.
fn ensure_close(what: &str, seen: Timestamp, truth: Timestamp, tolerance: Duration) -> anyhow::Result<()> {
    let apart = seen.since(truth).max(truth.since(seen));
    ensure!(apart <= tolerance, "{what} at {seen}, in truth at {truth}: {apart:?} apart");
    Ok(())
}

/// What a server did, as seen from outside: its client's window closed, and it gave up.
struct Waited {
    closed: Timestamp,
    aborted: Timestamp,
    timeout: Duration,
}

impl Waited {
    /// Fails unless it gave up because of this timeout. Its wait begins when its own buffer is full: later than the window
    /// closes where it is still to be filled, and earlier where the last segments are still on their way to the client. A busy
    /// host makes much of both, but not as much as any other timeout would.
    fn ensure_timeout(&self) -> anyhow::Result<()> {
        let waited = self.aborted.since(self.closed);
        let is_it = waited + CLOSE >= self.timeout && waited < self.timeout * 2;
        ensure!(is_it, "{waited:?} from zero window to abort, the timeout is {:?}", self.timeout);
        Ok(())
    }

    /// Fails unless `at` is when this share of the timeout was used: of a wait that began when the window closed, of the true
    /// one, or of any between. Who does not see the server's wait knows of it by the window only.
    fn ensure_used(&self, share: f64, at: Timestamp) -> anyhow::Result<()> {
        let earliest = self.closed + self.timeout.mul_f64(share);
        let latest = self.aborted - self.timeout.mul_f64(1.0 - share);
        let is_it = earliest - CLOSE <= at && at <= latest + CLOSE;
        ensure!(is_it, "{share} of the timeout at {at}, in truth between {earliest} and {latest}");
        Ok(())
    }
}

/// How far the observer's stamp of a read may lie outside of what the reader measured: it looks at the first read of a kernel
/// tick (10 ms at most), and took the distance of the kernel's clock from the wall clock when it started, since when the wall
/// clock may have been slewed (by 500 millionths, adjtimex(2)).
const CLOCKS: Duration = Duration::from_millis(25);

/// Fails when a read was told of a moment at which the reader did not read.
fn ensure_read_within(read: Timestamp, truth: TimeRange) -> anyhow::Result<()> {
    let is_within = truth.earliest - CLOCKS <= read && read <= truth.latest + CLOCKS;
    ensure!(is_within, "told to have read at {read}, while the reader read within {truth:?}");
    Ok(())
}

fn is_lost(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::Lost { .. })
}

fn is_closed(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::Closed { .. })
}
