//! Each metric: its name, its meaning, and the figure it shows; as OpenMetrics text.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;

use super::figures::{FINDINGS, Figures, PHASES, PLACES, ServerFigures, VERDICTS};
use super::process::Process;
use crate::alert::Counts;
use crate::text::severity;

/// A metric. By Prometheus' conventions its unit is added to its name, and `_total` to that of a counter.
struct Metric {
    name: &'static str,
    unit: Option<Unit>,
    kind: MetricType,
    help: &'static str,
    samples: fn(&Moment<'_>, &mut Samples<'_>) -> fmt::Result,
}

/// What the samples are taken of.
struct Moment<'a> {
    figures: &'a Figures,
    alerts: &'a Counts,
    process: Process,
}

/// Takes the samples of one metric.
struct Samples<'a> {
    encoder: MetricEncoder<'a>,
    kind: MetricType,
}

impl Samples<'_> {
    /// The only one.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus' samples are floats")]
    fn count(&mut self, value: u64) -> fmt::Result {
        self.number(value as f64)
    }

    /// The only one.
    fn number(&mut self, value: f64) -> fmt::Result {
        write(&mut self.encoder, self.kind, value)
    }

    /// One of several.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus' samples are floats")]
    fn labelled(&mut self, labels: &[(&str, &str)], value: u64) -> fmt::Result {
        self.labelled_number(labels, value as f64)
    }

    /// One of several.
    fn labelled_number(&mut self, labels: &[(&str, &str)], value: f64) -> fmt::Result {
        write(&mut self.encoder.encode_family(&labels)?, self.kind, value)
    }
}

fn write(encoder: &mut MetricEncoder<'_>, kind: MetricType, value: f64) -> fmt::Result {
    match kind {
        MetricType::Counter => encoder.encode_counter::<NoLabelSet, f64, f64>(&value, None),
        _ => encoder.encode_gauge(&value),
    }
}

const fn gauge(
    name: &'static str,
    unit: Option<Unit>,
    help: &'static str,
    samples: fn(&Moment<'_>, &mut Samples<'_>) -> fmt::Result,
) -> Metric {
    Metric { name, unit, kind: MetricType::Gauge, help, samples }
}

const fn counter(
    name: &'static str,
    unit: Option<Unit>,
    help: &'static str,
    samples: fn(&Moment<'_>, &mut Samples<'_>) -> fmt::Result,
) -> Metric {
    Metric { name, unit, kind: MetricType::Counter, help, samples }
}

static METRICS: [Metric; 22] = [
    Metric {
        name: "observer_build",
        unit: None,
        kind: MetricType::Info,
        help: "What runs.",
        samples: |_, samples| samples.encoder.encode_info(&[("version", env!("CARGO_PKG_VERSION"))]),
    },
    gauge("observer_connections", None, "Open connections by phase.", |now, samples| {
        PHASES
            .iter()
            .zip(now.figures.phases)
            .try_for_each(|(phase, count)| samples.labelled(&[("phase", phase)], count))
    }),
    gauge("observer_connections_limit", None, "Connections that are kept at most.", |now, samples| {
        samples.count(now.figures.connections_limit)
    }),
    counter("observer_connections_seen", None, "Connections there have been.", |now, samples| {
        samples.count(now.figures.connections_seen)
    }),
    gauge("observer_server_connections", None, "Open connections of a server.", |now, samples| {
        of_servers(now, samples, |server| Some(server.connections))
    }),
    gauge(
        "observer_server_longest_stall",
        Some(Unit::Seconds),
        "Age of the longest stall for which a server waits, 0 without one.",
        |now, samples| of_servers(now, samples, |server| Some(server.longest_stall)),
    ),
    gauge(
        "observer_server_least_time_left",
        Some(Unit::Seconds),
        "Time until a server can give up on a client at the earliest, absent while it waits for none.",
        |now, samples| of_servers(now, samples, |server| server.least_time_left),
    ),
    gauge(
        "observer_server_timeout_used_ratio",
        None,
        "Largest share of net_write_timeout that a client of a server has used, 0 while it waits for none.",
        |now, samples| of_servers(now, samples, |server| Some(server.timeout_used)),
    ),
    counter("observer_findings", None, "Findings by kind and severity.", |now, samples| {
        FINDINGS.iter().zip(now.figures.findings).try_for_each(|((finding, level), count)| {
            samples.labelled(&[("finding", finding), ("severity", severity(*level))], count)
        })
    }),
    counter(
        "observer_verdicts",
        None,
        "Connections gone that had been in trouble or ended in an unusual way, by verdict.",
        |now, samples| {
            VERDICTS
                .iter()
                .zip(now.figures.verdicts)
                .try_for_each(|((_, verdict), count)| samples.labelled(&[("verdict", verdict)], count))
        },
    ),
    counter(
        "observer_unread_lost",
        Some(Unit::Bytes),
        "Bytes that applications had yet to read when their server's close had reached them.",
        |now, samples| samples.count(now.figures.unread_lost),
    ),
    counter("observer_events_lost", None, "Observations lost, by place.", |now, samples| {
        PLACES
            .iter()
            .zip(now.figures.events_lost)
            .try_for_each(|(place, count)| samples.labelled(&[("place", place)], count))
    }),
    counter(
        "observer_log_events_missing",
        None,
        "Events that the log should have and has not.",
        |now, samples| samples.count(now.figures.log.events_missing),
    ),
    gauge("observer_log_failing", None, "1 while the log cannot be written, else 0.", |now, samples| {
        samples.count(u64::from(now.figures.log.failing.is_some()))
    }),
    gauge(
        "observer_last_poll_timestamp",
        Some(Unit::Seconds),
        "When sockets were polled last, since the Unix epoch; absent before the first time.",
        |now, samples| {
            let Some((polled, _)) = now.figures.polled else { return Ok(()) };
            // By the wall clock of now: one that was set in between is no reason for an alert.
            let at = SystemTime::now() - polled.elapsed();
            samples.number(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64())
        },
    ),
    gauge(
        "observer_poll_period",
        Some(Unit::Seconds),
        "How far apart two polls are; absent before the first.",
        |now, samples| now.figures.polled.map_or(Ok(()), |(_, period)| samples.number(period.as_secs_f64())),
    ),
    counter("observer_alerts", None, "Alerts by way and by what became of them.", |now, samples| {
        now.alerts.all().try_for_each(|(way, outcome, count)| {
            samples.labelled(&[("way", way.name()), ("outcome", outcome.name())], count)
        })
    }),
    counter("observer_alerts_held_back", None, "Alerts that the rate did not allow.", |now, samples| {
        samples.count(now.alerts.held_back())
    }),
    counter("process_cpu", Some(Unit::Seconds), "CPU time of observer itself.", |_, samples| {
        Process::cpu().map_or(Ok(()), |time| samples.number(time.as_secs_f64()))
    }),
    gauge(
        "process_resident_memory",
        Some(Unit::Bytes),
        "Memory of observer itself, in RAM.",
        |_, samples| Process::resident_bytes().map_or(Ok(()), |bytes| samples.count(bytes)),
    ),
    gauge("process_open_fds", None, "Files that observer has open.", |_, samples| {
        Process::open_files().map_or(Ok(()), |count| samples.count(count))
    }),
    gauge(
        "process_start_time",
        Some(Unit::Seconds),
        "When observer was started, since the Unix epoch.",
        |now, samples| samples.number(now.process.started.as_secs_f64()),
    ),
];

/// A number of a server.
trait Figure {
    fn number(self) -> f64;
}

impl Figure for u64 {
    #[expect(clippy::cast_precision_loss, reason = "Prometheus' samples are floats")]
    fn number(self) -> f64 {
        self as f64
    }
}

impl Figure for f64 {
    fn number(self) -> f64 {
        self
    }
}

impl Figure for Duration {
    fn number(self) -> f64 {
        self.as_secs_f64()
    }
}

/// A sample of each server that has the figure.
fn of_servers<F: Figure>(
    now: &Moment<'_>,
    samples: &mut Samples<'_>,
    figure: impl Fn(&ServerFigures) -> Option<F>,
) -> fmt::Result {
    now.figures.servers.iter().try_for_each(|(server, figures)| {
        let name = server.as_ref().map_or_else(|| "other".to_owned(), SocketAddr::to_string);
        figure(figures)
            .map_or(Ok(()), |figure| samples.labelled_number(&[("server", &name)], figure.number()))
    })
}

/// The figures as text, in the form that [`TYPE`](Self::TYPE) says.
#[derive(Debug)]
pub struct Exposition(Registry);

impl Exposition {
    /// The type of its text.
    pub const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Of what is in `figures` whenever it is asked for, and of what became of `alerts`.
    pub fn new(figures: watch::Receiver<Figures>, alerts: Arc<Counts>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(All { figures, alerts, process: Process::starts() }));
        Self(registry)
    }

    /// Everything as it is now.
    ///
    /// # Errors
    ///
    /// None that happen: it is written to memory.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut written = String::new();
        text::encode(&mut written, &self.0)?;
        Ok(written)
    }
}

#[derive(Debug)]
struct All {
    figures: watch::Receiver<Figures>,
    alerts: Arc<Counts>,
    process: Process,
}

impl Collector for All {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // A copy, so that whoever keeps them up to date does not wait.
        let figures = self.figures.borrow().clone();
        let now = Moment { figures: &figures, alerts: &self.alerts, process: self.process };
        METRICS.iter().try_for_each(|metric| {
            let Metric { name, unit, kind, help, samples } = metric;
            let encoder = encoder.encode_descriptor(name, help, unit.as_ref(), *kind)?;
            samples(&now, &mut Samples { encoder, kind: *kind })
        })
    }
}
