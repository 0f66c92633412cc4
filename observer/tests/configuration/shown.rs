//! `observer config show`.

use super::host::{Host, values};

#[test]
fn what_holds_is_shown_with_where_it_comes_from() {
    let host = Host::new("no-kernel = true\nport = [3307, 3308]\nnet-write-timeout = [30, '10.0.0.1=20']\n")
        .with("OBSERVER_POLL", "0.5")
        .with("OBSERVER_DIRECTORY", "/srv/a \"b\"");
    let shown = host.shown(&["record", "--keep", "4G"]);
    for line in [
        "no-kernel = true  # FILE:1",
        "port = [3307, 3308]  # FILE:2",
        "net-write-timeout = [30, \"10.0.0.1=20\"]  # FILE:3",
        "poll = 0.5  # OBSERVER_POLL",
        "directory = '/srv/a \"b\"'  # OBSERVER_DIRECTORY",
        "keep = \"4G\"  # flag",
        "part-size = \"16M\"  # default",
        "raw-statements = false  # default",
        "# cgroup is not set",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    assert!(!shown.contains("theme"), "an option of live: {shown}");
}

#[test]
fn of_a_webhook_only_the_host_is_shown() {
    let shown = Host::new("alert-url = 'https://hooks.example.com/services/hunter2?token=hunter2'\n")
        .with("OBSERVER_ALERT_COMMAND", "curl -d @- https://etl:hunter2@pager.example.com:8443/hunter2")
        .shown(&["record"]);
    for line in [
        "alert-url = \"https://hooks.example.com/***\"  # FILE:1",
        "alert-command = \"curl -d @- https://***@pager.example.com:8443/***\"  # OBSERVER_ALERT_COMMAND",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_shown_is_the_same_when_it_is_the_file() {
    let host = Host::new(
        "no-kernel = true\nport = [3307, 3308]\nsort = '-unread'\nfilter = \"a\\tb\\u007f\\\\'\"\n",
    )
    .with("OBSERVER_POLL", "0.50")
    .with("OBSERVER_COLUMNS", "client,state");
    for arguments in [&["live", "--log", "/tmp/a # b"][..], &["record", "--keep", "4G"], &["doctor"]] {
        let shown = host.shown(arguments);
        let again = Host::new(&shown).shown(&arguments[..1]);
        assert_eq!(values(&again), values(&shown));
        let is_set = |line: &&str| !line.starts_with('#');
        assert!(again.lines().filter(is_set).all(|line| line.contains("  # FILE:")), "{again}");
    }
}
