//! Prometheus and Alertmanager with their tools, out of Debian's packages: installed into the system they would run as
//! services, which nobody who tests observer has asked for.

use super::Item;
use super::extracted::extract;

pub(super) const ITEM: Item = Item {
    directory: "prometheus",
    proof: "usr/bin/amtool",
    what: "Debian's Prometheus and Alertmanager",
    why: "the tests of metrics and of alerting rules",
    build: |place| extract(place, &["prometheus", "prometheus-alertmanager"]),
};
