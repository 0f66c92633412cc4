//! As many logs as a fleet has: of each host two, with a client that was lost in each.

use std::fs;
use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::{Fleet, STATEMENT, ask_all, columns, python};

/// Hosts, each with a log a week.
const HOSTS: u32 = 1_500;
/// The days in May on which that was, each in a week of its own.
const WEEKS: [&str; 2] = ["04", "11"];

#[test]
fn thousands_of_logs_are_asked_as_one() {
    let Some(python) = python("thousands_of_logs_are_asked_as_one") else { return };
    let one = Fleet::new();
    let log = fs::read_to_string(one.part("app1")).unwrap();
    assert!(log.contains("\"10.2.7.31:51844\""));
    let place = tempfile::tempdir().unwrap();
    for host in 0..HOSTS {
        let directory = place.path().join(format!("app{host}"));
        fs::create_dir(&directory).unwrap();
        // The client is another one: two hosts that tell of the same are the two ends of one stall.
        let client = format!("\"10.{}.{}.31:51844\"", 100 + host / 256, host % 256);
        let log = log.replace("\"10.2.7.31:51844\"", &client);
        for day in WEEKS {
            let part = directory.join(format!("observer-202405{day}T140300Z-000001.jsonl.gz"));
            let mut part = GzEncoder::new(fs::File::create(part).unwrap(), Compression::fast());
            part.write_all(log.replace("2024-05-04T", &format!("2024-05-{day}T")).as_bytes()).unwrap();
            part.finish().unwrap();
        }
    }
    let questions = ["services", "statements", "closeness", "weeks"];
    let [services, statements, closeness, weeks] = ask_all(place.path(), &python, questions);
    let all = HOSTS * 2;
    assert_eq!(
        columns(&services, &["account", "place", "stalls", "lost", "hosts"]),
        json!([["etl", "etl.service", all, all, HOSTS]])
    );
    assert_eq!(
        columns(&statements, &["statement", "stalls", "lost", "accounts"]),
        json!([[STATEMENT, all, all, ["etl"]]])
    );
    assert_eq!(columns(&closeness, &["share", "stalls", "assumed"]), json!([["4 lost", all, all]]));
    assert_eq!(
        columns(&weeks, &["week", "account", "stalls", "lost"]),
        json!([["2024-04-29", "etl", HOSTS, HOSTS], ["2024-05-06", "etl", HOSTS, HOSTS]])
    );
}
