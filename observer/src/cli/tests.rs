use std::time::Duration;

use observer_core::TimeoutSource;

use super::values::{parse_client, parse_poll, parse_ring_size, parse_speed};
use super::*;
use crate::report::Client;
use crate::view::Theme;

fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["observer"], args].concat()).and_then(Cli::checked)
}

fn help(args: &[&str]) -> String {
    // Of one width, whatever terminal the tests run in.
    let error = Cli::command()
        .term_width(100)
        .try_get_matches_from([&["observer"], args, &["--help"]].concat())
        .unwrap_err();
    assert_eq!(error.kind(), clap::error::ErrorKind::DisplayHelp);
    error.to_string()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn help_texts() {
    insta::assert_snapshot!("help", help(&[]));
    insta::assert_snapshot!("help_live", help(&["live"]));
    insta::assert_snapshot!("help_record", help(&["record"]));
    insta::assert_snapshot!("help_report", help(&["report"]));
    insta::assert_snapshot!("help_replay", help(&["replay"]));
    insta::assert_snapshot!("help_doctor", help(&["doctor"]));
    insta::assert_snapshot!("help_demo", help(&["demo"]));
    insta::assert_snapshot!("help_config", help(&["config"]));
    insta::assert_snapshot!("help_config_check", help(&["config", "check"]));
    insta::assert_snapshot!("help_config_show", help(&["config", "show"]));
    insta::assert_snapshot!("help_man", help(&["man"]));
    insta::assert_snapshot!("help_completions", help(&["completions"]));
}

#[test]
fn ports_are_numbers_from_1_to_65535() {
    assert_eq!(parse(&[]).unwrap().live.observation.ports, [3306]);
    assert_eq!(parse(&["--port", "3307", "-p", "65535"]).unwrap().live.observation.ports, [3307, 65535]);
    for bad in ["0", "65536", "3306x", "mysql", ""] {
        let error = parse(&["--port", bad]).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{bad}");
        assert!(error.to_string().contains("--port"), "{error}");
    }
}

#[test]
fn a_port_counts_once_and_more_than_the_kernel_programs_take_are_refused() {
    assert_eq!(
        parse(&["-p", "3307", "-p", "3306", "-p", "3307"]).unwrap().live.observation.ports,
        [3306, 3307]
    );
    let ports = |count| -> Vec<String> { (1..=count).map(|port| format!("--port={port}")).collect() };
    let with = |command: &[&'static str], count| {
        let ports = ports(count);
        parse(&command.iter().copied().chain(ports.iter().map(String::as_str)).collect::<Vec<_>>())
    };
    for command in [&[][..], &["live"], &["live", "--no-kernel"], &["doctor"]] {
        assert!(with(command, 16).is_ok(), "{command:?}");
        let error = with(command, 17).unwrap_err();
        assert!(error.to_string().contains("17 ports given, at most 16"), "{command:?}: {error}");
    }
}

#[test]
fn options_work_with_and_without_the_name_of_the_command() {
    let Some(Command::Live(live)) = parse(&["live", "--net-write-timeout", "8"]).unwrap().command else {
        panic!("not live");
    };
    let bare = parse(&["--net-write-timeout", "8"]).unwrap().live;
    assert_eq!(live.config(), bare.config());
    assert_eq!(bare.config().net_write_timeout.duration, Duration::from_secs(8));
    assert_eq!(bare.config().net_write_timeout.source, TimeoutSource::Flag);
    assert_eq!(parse(&[]).unwrap().live.config(), Config::default());
    assert!(parse(&["--port", "3307", "doctor"]).is_err(), "an option of live before another command");
}

#[test]
fn the_timeout_has_mysqlds_range() {
    for bad in ["0", "31536001", "1.5", "x", "", "10.0.0.1=", "10.0.0.1=0", "db1=5", "=5", "10.0.0.1:x=5"] {
        assert!(parse(&["--net-write-timeout", bad]).is_err(), "{bad}");
    }
    assert!(parse(&["--net-write-timeout", "31536000"]).is_ok());
}

#[test]
fn a_timeout_may_be_that_of_one_server() {
    let args = [
        "--net-write-timeout=7",
        "--net-write-timeout=[2001:db8::1]=5",
        "--net-write-timeout=10.0.0.1:3307=3",
    ];
    let config = parse(&args).unwrap().live.config();
    let seconds = |server: &str| config.net_write_timeout_of(server.parse().unwrap()).duration.as_secs();
    assert_eq!(["10.0.0.1:3307", "[2001:db8::1]:3306", "10.0.0.1:3306"].map(seconds), [3, 5, 7]);
}

#[test]
fn critical_does_not_come_before_the_warning() {
    assert!(parse(&["--warn-at", "80", "--critical-at", "80"]).is_ok());
    assert_eq!(parse(&["--warn-at", "81"]).unwrap_err().exit_code(), 2);
    assert_eq!(parse(&["live", "--warn-at", "90"]).unwrap_err().exit_code(), 2);
}

#[test]
fn ring_sizes() {
    assert_eq!(parse_ring_size("4096"), Ok(4096));
    assert_eq!(parse_ring_size("256K"), Ok(256 << 10));
    assert_eq!(parse_ring_size("1024M"), Ok(1 << 30));
    for bad in ["", "K", "0", "3K", "2K", "2048M", "4096M", "-4K", "4G", "5000"] {
        assert!(parse_ring_size(bad).is_err(), "{bad}");
    }
}

#[test]
fn speeds_and_clients() {
    assert_eq!(parse_speed("0.5"), Ok(0.5));
    for bad in ["0", "-1", "nan", "inf", "1001", "x"] {
        assert!(parse_speed(bad).is_err(), "{bad}");
    }
    let host = |text: &str| Ok(Client::Host(text.parse().unwrap()));
    assert_eq!(parse_client("10.2.7.31"), host("10.2.7.31"));
    assert_eq!(parse_client("[2001:db8::1]"), host("2001:db8::1"));
    assert_eq!(parse_client("[2001:db8::1]:4000"), Ok(Client::Socket("[2001:db8::1]:4000".parse().unwrap())));
    assert!(parse_client("db1").is_err());
    assert!(
        parse(&["replay", "x", "--follow", "--speed", "2"]).is_err(),
        "what happens now has its own speed"
    );
}

#[test]
fn poll_periods() {
    assert_eq!(parse_poll("0.5"), Ok(Duration::from_millis(500)));
    for bad in ["0", "0.01", "-1", "nan", "inf", "3601", "1s"] {
        assert!(parse_poll(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_view_begins_as_it_is_asked_to() {
    let of = |args: &[&str]| parse(args).unwrap().live.view;
    let asked = of(&["--sort", "-unread", "--filter", "10.2", "--theme", "light", "--keep-ended", "5"]);
    let wishes = asked.wishes();
    assert_eq!(Ok(wishes.order), "-unread".parse());
    assert_eq!((wishes.filter.as_str(), wishes.keep_ended), ("10.2", Duration::from_secs(5)));
    let wanted = of(&[]).wishes();
    assert_eq!(wanted, crate::view::Wishes::default());
    // What somebody asks for goes before what the environment says.
    let no_colour = |name: &str| (name == "NO_COLOR").then(|| "1".to_owned());
    assert_eq!(asked.abilities(no_colour).theme, Theme::Light);
    assert_eq!(of(&["--theme", "auto"]).abilities(no_colour).theme, Theme::Mono);
    assert_eq!(of(&[]).abilities(|_| None).theme, Theme::Dark);
}

#[test]
fn what_the_view_shows_no_longer_is_judged_as_ever() {
    let kept = |args: &[&str]| parse(args).unwrap().live.config().keep_ended.as_secs();
    assert_eq!([kept(&[]), kept(&["--keep-ended=5"]), kept(&["--keep-ended=600"])], [60, 60, 600]);
    assert!(parse(&["--keep-ended", "86401"]).is_err());
}
