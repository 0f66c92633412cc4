//! Prometheus and promtool, out of Debian's package: installed into the system it would run as a service, which nobody who
//! tests observer has asked for.

use super::Item;
use super::extracted::extract;

pub(super) const ITEM: Item = Item {
    directory: "prometheus",
    proof: "usr/bin/promtool",
    what: "Debian's Prometheus",
    why: "the tests of metrics and of alerting rules",
    build: |place| extract(place, &["prometheus"]),
};
