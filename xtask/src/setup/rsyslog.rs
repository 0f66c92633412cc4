//! rsyslog, out of Debian's packages: installed into the system it would take over its log.

use super::Item;
use super::extracted::extract;

pub(super) const ITEM: Item = Item {
    directory: "rsyslog",
    proof: "usr/sbin/rsyslogd",
    what: "Debian's rsyslog",
    why: "the tests of logs that are sent to one place",
    build: |place| extract(place, &["rsyslog", "libestr0", "libfastjson4", "liblognorm5"]),
};
