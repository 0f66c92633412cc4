//! Which part of time the chart shows: all of it, or what the user has chosen by zooming and panning.

use std::time::Duration;

use observer_core::Timestamp;

/// The closest zoom, in halvings of the whole.
const CLOSEST: i8 = 8;
/// The widest.
const WIDEST: i8 = -2;
/// The shortest time across a chart.
const SHORTEST: Duration = Duration::from_millis(100);

/// What the user asks of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) enum Look {
    /// Half the time across the chart.
    In,
    /// Twice the time.
    Out,
    /// A quarter of the chart back.
    Earlier,
    /// A quarter forward.
    Later,
    /// With the time again; if it goes with it already, all of it.
    Follow,
}

/// The time there is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) struct Whole {
    /// The first that is known.
    pub(super) first: Timestamp,
    /// Now, or the end of the connection.
    pub(super) now: Timestamp,
    /// Where the picture ends: beyond the deadline, if there is one.
    pub(super) end: Timestamp,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) struct Stretch {
    /// Its left edge.
    pub(super) from: Timestamp,
    /// Its right edge.
    pub(super) to: Timestamp,
}

/// What the user has chosen to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::view) struct Span {
    /// Halvings of the whole while the picture goes with the time.
    zoom: i8,
    /// Where the user has panned to: the picture stands still.
    standing: Option<Stretch>,
}

impl Span {
    /// Does what the user asks for.
    pub(in crate::view) fn look(&mut self, look: Look, whole: Whole) {
        let quarter = self.stretch(whole).length() / 4;
        match (look, self.standing) {
            (Look::Follow, Some(_)) => self.standing = None,
            (Look::Follow, None) => self.zoom = 0,
            (Look::In, None) => self.zoom = (self.zoom + 1).min(CLOSEST),
            (Look::Out, None) => self.zoom = (self.zoom - 1).max(WIDEST),
            (Look::In, Some(Stretch { from, to })) if quarter * 2 >= SHORTEST => {
                self.standing = Some(Stretch { from: from + quarter, to: to - quarter });
            }
            (Look::In, Some(_)) => {}
            (Look::Out, Some(Stretch { from, to })) => {
                let widest = (whole.end.since(whole.first) * 4).max(SHORTEST);
                if quarter * 8 <= widest {
                    self.standing = Some(Stretch { from: from - quarter * 2, to: to + quarter * 2 });
                }
            }
            (Look::Earlier, _) => {
                let Stretch { from, to } = self.stretch(whole);
                // Something of what there is stays on the picture.
                let by = quarter.min(to.since(whole.first + quarter));
                self.standing = Some(Stretch { from: from - by, to: to - by });
            }
            (Look::Later, _) => {
                let Stretch { from, to } = self.stretch(whole);
                let by = quarter.min((whole.end - quarter).since(from));
                self.standing = Some(Stretch { from: from + by, to: to + by });
            }
        }
    }

    /// The time across the chart. While it goes with the time, now keeps its column however close one looks.
    pub(super) fn stretch(self, whole: Whole) -> Stretch {
        let Whole { first, now, end } = whole;
        self.standing.unwrap_or_else(|| {
            let scale = |time: Duration| time.mul_f64(0.5_f64.powi(self.zoom.into()));
            Stretch { from: now - scale(now.since(first)), to: now + scale(end.since(now)) }
        })
    }

    /// What the chart says of itself when it does not show all there is.
    pub(super) fn words(self) -> Option<&'static str> {
        match self {
            Self { standing: Some(_), .. } => Some("standing, f follows"),
            Self { zoom: 0, .. } => None,
            Self { .. } => Some("zoomed"),
        }
    }
}

impl Stretch {
    /// From edge to edge.
    pub(super) fn length(self) -> Duration {
        self.to.since(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_secs(seconds)
    }

    fn whole() -> Whole {
        Whole { first: at(1000), now: at(1040), end: at(1060) }
    }

    fn seconds(span: Span) -> (i64, i64) {
        let Stretch { from, to } = span.stretch(whole());
        (from.as_micros() / 1_000_000, to.as_micros() / 1_000_000)
    }

    #[test]
    fn zooming_keeps_now_and_panning_stands_still() {
        let mut span = Span::default();
        assert_eq!(seconds(span), (1000, 1060));
        span.look(Look::In, whole());
        assert_eq!(seconds(span), (1020, 1050));
        span.look(Look::Earlier, whole());
        assert_eq!(seconds(span), (1012, 1042));
        let later = Whole { now: at(1050), ..whole() };
        assert_eq!(span.stretch(later), span.stretch(whole()));
        span.look(Look::In, whole());
        assert_eq!(seconds(span), (1020, 1035));
        span.look(Look::Out, whole());
        assert_eq!(seconds(span), (1012, 1042));
        span.look(Look::Follow, whole());
        assert_eq!(seconds(span), (1020, 1050));
        span.look(Look::Follow, whole());
        assert_eq!(span, Span::default());
    }

    #[test]
    fn nobody_gets_lost() {
        for look in [Look::In, Look::Out, Look::Earlier, Look::Later] {
            for first in [Look::In, Look::Out, Look::Earlier, Look::Later] {
                let mut span = Span::default();
                span.look(first, whole());
                for _ in 0..200 {
                    span.look(look, whole());
                }
                let Stretch { from, to } = span.stretch(whole());
                assert!(from < whole().end && to > whole().first, "{first:?} {look:?}: {from} {to}");
                let length = to.since(from);
                assert!(length >= SHORTEST / 2 && length <= Duration::from_secs(60 * 8), "{length:?}");
            }
        }
    }

    #[test]
    fn no_time_at_all_does_no_harm() {
        let nothing = Whole { first: at(5), now: at(5), end: at(5) };
        let mut span = Span::default();
        for look in [Look::Earlier, Look::In, Look::Out, Look::Later, Look::In, Look::Follow] {
            span.look(look, nothing);
        }
    }
}
