//! Names of users, by `/etc/passwd` (passwd(5)) alone: a name service may ask the network, or wait for it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::time::{Duration, Instant};

const FILE: &str = "/etc/passwd";
/// As much of it is read.
const LONGEST: u64 = 1 << 20;
/// It is read again at most so often, when somebody is not in it.
const PERIOD: Duration = Duration::from_secs(30);

/// The users of this host.
#[derive(Default)]
pub(super) struct Users {
    names: HashMap<u32, String>,
    read: Option<Instant>,
}

impl Users {
    /// The name of a user, where it has one.
    pub(super) fn name(&mut self, uid: u32) -> Option<String> {
        if !self.names.contains_key(&uid) && self.read.is_none_or(|at| at.elapsed() >= PERIOD) {
            self.read = Some(Instant::now());
            let mut text = Vec::new();
            if File::open(FILE).and_then(|file| file.take(LONGEST).read_to_end(&mut text)).is_ok() {
                self.names = parse(&String::from_utf8_lossy(&text));
            }
        }
        self.names.get(&uid).cloned()
    }
}

/// `name:password:uid:…`; of several names the first counts, as it does for getpwuid(3).
fn parse(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok()));
        if let (Some(name), Some(uid)) = (name.filter(|name| !name.is_empty()), uid) {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_counts_and_nonsense_none() {
        let text = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\n\n# no user\nmysql:x:101:103::/:\n\
                    +::::::\nnone:x:-1:0\n:x:7:7\n";
        let names = parse(text);
        assert_eq!(names, HashMap::from([(0, "root".to_owned()), (101, "mysql".to_owned())]));
    }

    #[test]
    fn the_superuser_has_a_name_and_the_last_of_all_none() {
        let mut users = Users::default();
        assert_eq!(users.name(0).as_deref(), Some("root"));
        assert_eq!(users.name(u32::MAX), None);
    }
}
