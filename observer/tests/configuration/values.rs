//! What is configured is what holds.

use observer::cli::Command;

use super::host::Host;

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let keep = |host: &Host, arguments: &[&str]| host.record(arguments).keep >> 30;
    let file = Host::new("keep = \"2G\"\n");
    assert_eq!(keep(&Host::new(""), &[]), 1);
    assert_eq!(keep(&file, &[]), 2);
    let both = file.with("OBSERVER_KEEP", "3G");
    assert_eq!(keep(&both, &[]), 3);
    assert_eq!(keep(&both, &["--keep", "4G"]), 4);
    assert_eq!(keep(&both, &["--config", "/dev/null"]), 3, "the environment holds whatever file there is");
}

#[test]
fn a_list_replaces_another_and_is_not_added_to_it() {
    let ports = |host: &Host, arguments: &[&str]| host.record(arguments).observation.ports;
    let file = Host::new("port = [3307, 3308]\n");
    assert_eq!(ports(&file, &[]), [3307, 3308]);
    assert_eq!(ports(&file, &["-p", "1"]), [1]);
    assert_eq!(ports(&Host::new("port = 4000\n"), &[]), [4000]);
    assert_eq!(ports(&Host::new("port = []\n"), &[]), [3306], "an empty list is none");
    assert_eq!(ports(&file.with("OBSERVER_PORT", "3, 4"), &[]), [3, 4]);
    assert_eq!(ports(&Host::new("").with("OBSERVER_PORT", ""), &[]), [3306]);
}

#[test]
fn a_switch_is_on_or_off() {
    let is_on = |host: &Host, arguments: &[&str]| host.record(arguments).observation.no_kernel;
    let on = Host::new("no-kernel = true\n");
    assert!(is_on(&on, &[]));
    assert!(!is_on(&Host::new("no-kernel = false\n"), &[]));
    assert!(is_on(&Host::new("no-kernel = false\n"), &["--no-kernel"]));
    assert!(!is_on(&on.with("OBSERVER_NO_KERNEL", "false"), &[]));
}

#[test]
fn values_are_written_as_toml_has_them() {
    let host = Host::new(
        "poll = 0.5\nmax-connections = 0x1_000\nfilter = '10'\nnet-write-timeout = [\n  30,\n  \"10.0.0.1=20\",\n]\n",
    );
    let live = host.read(&[]).expect("it is right").live;
    assert_eq!((live.observation.poll.as_millis(), live.observation.max_connections), (500, 4096));
    assert_eq!(live.view.filter, "10");
    let config = live.config();
    let seconds =
        |server: &str| config.net_write_timeout_of(server.parse().expect("an address")).duration.as_secs();
    assert_eq!(["10.0.0.1:3306", "10.0.0.2:3306"].map(seconds), [20, 30]);
}

#[test]
fn a_key_of_another_command_that_observes_is_passed_over() {
    let host = Host::new("part-size = '1M'\ntheme = 'light'\njson = true\nport = 3307\n");
    assert_eq!(host.record(&[]).part_size, 1 << 20);
    assert_eq!(host.read(&[]).expect("it is right").live.observation.ports, [3307]);
    let Some(Command::Doctor(doctor)) = host.read(&["doctor"]).expect("it is right").command else {
        panic!("not doctor")
    };
    assert_eq!((doctor.ports.as_slice(), doctor.json), (&[3307][..], true));
}

#[test]
fn other_commands_know_nothing_of_it() {
    let host = Host::new("nonsense").with("OBSERVER_PORT", "x");
    for arguments in [&["report", "log"][..], &["replay", "log"], &["demo"], &["config", "check"], &["man"]] {
        assert!(host.read(arguments).is_ok(), "{arguments:?}");
    }
    let help = host.read(&["record", "--help"]).expect_err("help is asked for");
    assert_eq!(help.exit_code(), 0, "help is there when the file is wrong, too");
}

#[test]
fn what_an_option_needs_may_be_configured() {
    let live = Host::new("plain = true\n").read(&["--bpf-log"]).expect("it is right").live;
    assert!(live.plain && live.bpf_log);
    assert!(Host::new("").wrong(&["--bpf-log"]).contains("--plain"));
    assert!(Host::new("bpf-log = true\n").wrong(&[]).contains("--plain"));
}
