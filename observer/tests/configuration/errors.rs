//! What is wrong is told, with where it stands.

use std::fs;

use super::host::Host;

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let host = Host::new(
        "prot = 3307\nkeep = \"4\"\npart_size = '1M'\n\nno-kernel = 1\nkeep-incidents = ['1M']\nzzz = 1\n\
         log = 2026-01-01\nport = [1, [2]]\nfail-on = 'panic'\n[record]\nkeep = '4G'\n",
    )
    .with("OBSERVER_POLL", "x")
    .with("OBSERVER_PLAIN", "yes");
    // Whichever command runs: what is wrong for another one would be found at the worst time.
    for arguments in [&[][..], &["live"], &["record"], &["doctor"]] {
        assert_eq!(
            host.wrong(arguments),
            "OBSERVER_POLL: invalid value 'x' for '--poll <SECONDS>': not a number of seconds from 0.1 to 3600\n\
             OBSERVER_PLAIN: invalid value 'yes' for '--plain': true or false\n\
             FILE:1: unknown key prot; did you mean port?\n\
             FILE:2: invalid value '4' for '--keep <SIZE>': not a size from 64K on, such as 16M or 2G\n\
             FILE:3: unknown key part_size; did you mean part-size?\n\
             FILE:5: invalid value '1' for '--no-kernel': true or false\n\
             FILE:6: keep-incidents takes one value, not a list\n\
             FILE:7: unknown key zzz\n\
             FILE:8: log takes no datetime\n\
             FILE:9: port takes one value, not a list\n\
             FILE:10: invalid value 'panic' for '--fail-on <LEVEL>'; [possible values: notice, warning, \
             critical, lost]; tip: a similar value exists: 'notice'\n\
             FILE:11: there are no tables: the keys of [record] stand at the top"
        );
    }
}

#[test]
fn a_variable_that_no_key_has_is_told_with_what_was_meant() {
    let names = [
        "OBSERVER_PART_SZE",
        "OBSERVER_ZZZ",
        "OBSERVER_KEEP",
        "OBSERVER_CONFIG",
        "OBSERVERS_KEEP",
        "PATH",
        // Of the tests, and of a Kubernetes service of this name.
        "OBSERVER_E2E",
        "OBSERVER_SERVICE_HOST",
        "OBSERVER_PORT_3306_TCP_ADDR",
    ];
    let unknown = observer::config::unknown_variables(
        &<observer::cli::Cli as clap::CommandFactory>::command(),
        names.map(str::to_owned),
    );
    let expected = [
        "unknown variable OBSERVER_PART_SZE; did you mean OBSERVER_PART_SIZE?",
        "unknown variable OBSERVER_ZZZ",
    ];
    assert_eq!(unknown, expected);
}

#[test]
fn it_is_an_error_of_the_check_and_else_a_warning() {
    let observer = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_observer"));
        let output = command.args(arguments).env("OBSERVER_PART_SZE", "4M").output().expect("it runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let told = "unknown variable OBSERVER_PART_SZE; did you mean OBSERVER_PART_SIZE?";
    let (status, said) = observer(&["config", "check", "/dev/null"]);
    assert_eq!((status, said.trim()), (Some(2), format!("observer: {told}").as_str()));
    let (status, said) = observer(&["doctor", "--config", "/dev/null"]);
    assert!(status == Some(0) || status == Some(1), "{said}");
    assert!(said.contains(told), "{said}");
    let (_, said) = observer(&["config", "example"]);
    assert_eq!(said, "", "it is not gone by");
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let host = Host::new("port = 1\nport = 2\nkeep = 4G\n");
    let wrong = host.wrong(&[]);
    assert!(wrong.starts_with("FILE:2: duplicate key"), "{wrong}");
    assert!(wrong.contains("\nFILE:3: "), "{wrong}");
}

#[test]
fn what_does_not_go_together_is_told_with_where_it_stands() {
    let host = Host::new("\nraw-statements = true\nwarn-at = 90\n");
    assert_eq!(
        host.wrong(&["record", "--no-statements", "--critical-at=95"]),
        "the argument '--raw-statements' cannot be used with '--no-statements'\n  --raw-statements: FILE:2"
    );
    assert_eq!(
        host.with("OBSERVER_CRITICAL_AT", "85").wrong(&["live"]),
        "--critical-at 85 comes before --warn-at 90\n  --warn-at: FILE:3\n  --critical-at: OBSERVER_CRITICAL_AT"
    );
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    let wrong = Host::new("mysql = 'mysql://etl:hunter2@db1'\n").wrong(&["live"]);
    assert!(wrong.contains("--mysql-defaults-file") && wrong.ends_with("--mysql: FILE:1"), "{wrong}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let host = Host::new("");
    for (file, why) in [("/nonexistent", "No such file"), ("/etc", "Is a directory")] {
        let wrong = host.wrong(&["live", "--config", file]);
        assert!(
            wrong.starts_with(&format!("reading the configuration {file}: ")) && wrong.contains(why),
            "{wrong}"
        );
    }
    fs::write(host.file(), b"filter = \"\xff\"\n").expect("a file");
    assert!(host.wrong(&[]).contains("UTF-8"));
    fs::write(host.file(), "#".repeat((1 << 20) + 1)).expect("a file");
    assert!(host.wrong(&[]).contains("more than 1048576 bytes"));
}

#[test]
fn root_goes_by_no_file_that_others_may_write() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let host = Host::new("port = 3307\n");
    fs::set_permissions(host.file(), fs::Permissions::from_mode(0o664)).expect("it is ours");
    if !nix::unistd::geteuid().is_root() {
        assert!(host.read(&[]).is_ok(), "it is the user's own matter");
        return;
    }
    assert!(host.wrong(&[]).ends_with("others than root may write to it (mode 0664): chmod go-w"));
    fs::set_permissions(host.file(), fs::Permissions::from_mode(0o644)).expect("it is ours");
    assert!(host.read(&[]).is_ok());
    chown(host.file(), Some(65_534), None).expect("we are root");
    assert!(host.wrong(&[]).ends_with("it belongs to user 65534, and root would go by it: chown root"));
}
