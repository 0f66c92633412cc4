//! What a server is asked, and what the account may know.
//! <https://dev.mysql.com/doc/refman/en/performance-schema-system-variable-tables.html>

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::bounds::{NAME, SENTENCE, STATEMENT, cut, seconds};
use super::client::Client;
use super::link::Row;
use super::trouble::Trouble;
use crate::mysql::Statements;

/// Sessions that are read at once.
pub(super) const SESSIONS: usize = 20_000;

/// Sessions of which more than a row of the process list is read at once: for each, the server goes through all of its
/// variables.
pub(super) const CLOSELY: usize = 200;

/// Grants of one account that are read.
const GRANTS: usize = 1_000;

/// A row of the process list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    pub(super) id: u64,
    pub(super) user: String,
    /// The client's address where it is not a name, and its port.
    pub(super) client: (Option<IpAddr>, Option<u16>),
    pub(super) command: String,
    pub(super) time: Duration,
    pub(super) state: Option<String>,
}

/// A session's own timeouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeouts {
    pub(super) net_write: Option<Duration>,
    pub(super) wait: Option<Duration>,
}

/// What an account may know of a server.
#[derive(Clone, Debug)]
pub(super) struct Faculties {
    /// The table that has the process list.
    list: &'static str,
    /// The server's version. Not cleaned for a terminal.
    pub(super) version: String,
    /// The account as the server knows it.
    pub(super) account: String,
    /// The observer's own thread id.
    pub(super) own: u64,
    /// The port the server listens on, as it says.
    pub(super) port: Option<u16>,
    /// What tells the server from others that are reached by the same name.
    pub(super) identity: Vec<Option<String>>,
    /// Whether it tells the variables of sessions.
    has_timeouts: bool,
    /// Whether it tells the statements of sessions.
    has_statements: bool,
    /// What is not known.
    pub(super) lacks: Vec<Lack>,
}

/// Something an account may not know of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Why.
    pub because: String,
    /// What cannot be known.
    pub without: &'static str,
    /// What can be done about it.
    pub remedy: Option<&'static str>,
}

const WITHOUT_PROCESS: &str =
    "sessions of other accounts: their timeouts and statements, and whether the server has given them up";
const WITHOUT_TIMEOUTS: &str =
    "the net_write_timeout that a session has set itself; the server's is taken for it";
const WITHOUT_STATEMENTS: &str = "the statements that run";

const PERFORMANCE_SCHEMA_LIST: &str = "performance_schema.processlist";
const INFORMATION_SCHEMA_LIST: &str = "information_schema.processlist";

impl Faculties {
    /// Finds out by trying; what is not wanted is not tried, and not asked for later.
    pub(super) async fn of(client: &mut Client, statements: Statements) -> Result<Self, Trouble> {
        let rows = client
            .query("SELECT CONNECTION_ID(), CURRENT_USER(), @@port, @@version, @@hostname, @@server_id", 1)
            .await?;
        let mut cells = rows.into_iter().next().unwrap_or_default().into_iter();
        let mut next = || cells.next().flatten();
        let own = number(next()).ok_or("it does not tell its connection id")?;
        let mut faculties = Self {
            list: INFORMATION_SCHEMA_LIST,
            own,
            // A user and a host.
            account: cut(next().unwrap_or_default(), SENTENCE),
            port: number(next()).and_then(|port| u16::try_from(port).ok()),
            version: cut(next().unwrap_or_default(), NAME),
            identity: [next(), next()].map(|name| name.map(|name| cut(name, SENTENCE))).into(),
            has_timeouts: false,
            has_statements: false,
            lacks: Vec::new(),
        };
        // It needs no lock of the server's, but it is not everywhere, and empty without the performance schema.
        if !faculties.is_mariadb() && faculties.try_list(client, PERFORMANCE_SCHEMA_LIST).await? {
            faculties.list = PERFORMANCE_SCHEMA_LIST;
        }
        faculties.identify(client).await?;
        faculties.try_process(client).await?;
        faculties.try_timeouts(client).await?;
        if statements != Statements::None {
            faculties.try_statements(client).await?;
        }
        Ok(faculties)
    }

    fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    /// The port and MySQL's own name for the server; MariaDB has none.
    async fn identify(&mut self, client: &mut Client) -> Result<(), Trouble> {
        self.identity.push(self.port.map(|port| port.to_string()));
        if !self.is_mariadb() {
            let rows = tolerated(client.query("SELECT @@server_uuid", 1).await)?.unwrap_or_default();
            self.identity.push(rows.into_iter().flatten().next().flatten().map(|name| cut(name, SENTENCE)));
        }
        Ok(())
    }

    async fn try_list(&self, client: &mut Client, list: &str) -> Result<bool, Trouble> {
        let has_own =
            tolerated(client.query(&format!("SELECT ID FROM {list} WHERE ID = {}", self.own), 1).await)?;
        Ok(has_own.is_ok_and(|rows| !rows.is_empty()))
    }

    async fn try_process(&mut self, client: &mut Client) -> Result<(), Trouble> {
        let grants = tolerated(client.query("SHOW GRANTS", GRANTS).await)?.unwrap_or_default();
        if !grants.iter().filter_map(|row| row.first()?.as_deref()).any(grants_process) {
            self.lacks.push(Lack {
                because: format!("{} lacks the privilege PROCESS", self.account),
                without: WITHOUT_PROCESS,
                remedy: Some("GRANT PROCESS ON *.* TO the account"),
            });
        }
        Ok(())
    }

    async fn try_timeouts(&mut self, client: &mut Client) -> Result<(), Trouble> {
        let tried = "SELECT v.VARIABLE_VALUE FROM performance_schema.variables_by_thread v \
                     JOIN performance_schema.threads t USING (THREAD_ID) \
                     WHERE t.PROCESSLIST_ID = CONNECTION_ID() AND v.VARIABLE_NAME = 'net_write_timeout'";
        let (because, remedy) = match tolerated(client.query(tried, 1).await)? {
            Ok(rows) if !rows.is_empty() => {
                self.has_timeouts = true;
                return Ok(());
            }
            Ok(_) => ("the server runs without its performance schema".to_owned(), None),
            Err(trouble) if trouble.is_no_such_table() => {
                ("MariaDB does not tell the variables of other sessions".to_owned(), None)
            }
            Err(trouble) => {
                (trouble.to_string(), Some("GRANT SELECT ON performance_schema.* TO the account"))
            }
        };
        self.lacks.push(Lack { because, without: WITHOUT_TIMEOUTS, remedy });
        Ok(())
    }

    async fn try_statements(&mut self, client: &mut Client) -> Result<(), Trouble> {
        let tried = "SELECT COUNT(*) FROM performance_schema.events_statements_current e \
                     JOIN performance_schema.threads t USING (THREAD_ID) WHERE t.PROCESSLIST_ID = CONNECTION_ID()";
        let (because, remedy) = match tolerated(client.query(tried, 1).await)? {
            Ok(rows) if number(rows.first().and_then(|row| row.first()?.clone())) != Some(0) => {
                self.has_statements = true;
                return Ok(());
            }
            Ok(_) => ("the server's performance schema does not keep them".to_owned(), None),
            Err(trouble) => {
                (trouble.to_string(), Some("GRANT SELECT ON performance_schema.* TO the account"))
            }
        };
        self.lacks.push(Lack { because, without: WITHOUT_STATEMENTS, remedy });
        Ok(())
    }
}

impl Client {
    /// The process list, whole or of these sessions.
    pub(super) async fn sessions(
        &mut self,
        faculties: &Faculties,
        of: Option<&[u64]>,
    ) -> Result<Vec<Listed>, Trouble> {
        let which = of.map_or_else(String::new, |ids| format!("WHERE ID IN ({})", joined(ids)));
        let statement = format!(
            "SELECT ID, USER, HOST, COMMAND, TIME, STATE FROM {} {which} LIMIT {SESSIONS}",
            faculties.list
        );
        Ok(self.query(&statement, SESSIONS).await?.into_iter().filter_map(listed).collect())
    }

    /// The net_write_timeout that sessions begin with now.
    pub(super) async fn global_net_write_timeout(&mut self) -> Result<Option<Duration>, Trouble> {
        let rows = self.query("SELECT @@global.net_write_timeout", 1).await?;
        Ok(number(rows.into_iter().flatten().next().flatten()).map(seconds))
    }

    /// The timeouts that these sessions have now.
    pub(super) async fn timeouts(
        &mut self,
        faculties: &Faculties,
        ids: &[u64],
    ) -> Result<HashMap<u64, Timeouts>, Trouble> {
        let mut found: HashMap<u64, Timeouts> = HashMap::new();
        if !faculties.has_timeouts || ids.is_empty() {
            return Ok(found);
        }
        let statement = format!(
            "SELECT t.PROCESSLIST_ID, v.VARIABLE_NAME, v.VARIABLE_VALUE FROM performance_schema.threads t \
             JOIN performance_schema.variables_by_thread v USING (THREAD_ID) WHERE t.PROCESSLIST_ID IN ({}) \
             AND v.VARIABLE_NAME IN ('net_write_timeout', 'wait_timeout')",
            joined(ids)
        );
        for row in self.query(&statement, ids.len() * 2).await? {
            let [id, Some(name), value] = row.as_slice() else { continue };
            let (Some(id), Some(value)) = (number(id.clone()), number(value.clone())) else { continue };
            let timeouts = found.entry(id).or_default();
            let duration = Some(seconds(value));
            if name == "wait_timeout" { timeouts.wait = duration } else { timeouts.net_write = duration }
        }
        Ok(found)
    }

    /// The digests of the statements that these sessions carry out.
    pub(super) async fn statements(
        &mut self,
        faculties: &Faculties,
        ids: &[u64],
    ) -> Result<HashMap<u64, String>, Trouble> {
        if !faculties.has_statements || ids.is_empty() {
            return Ok(HashMap::new());
        }
        // Of a statement within a stored program the outer one is told.
        let statement = format!(
            "SELECT t.PROCESSLIST_ID, LEFT(e.DIGEST_TEXT, {STATEMENT}) FROM performance_schema.threads t \
             JOIN performance_schema.events_statements_current e USING (THREAD_ID) WHERE t.PROCESSLIST_ID IN ({}) \
             AND e.END_EVENT_ID IS NULL AND e.DIGEST_TEXT IS NOT NULL ORDER BY e.EVENT_ID DESC",
            joined(ids)
        );
        let rows = self.query(&statement, ids.len() * 16).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| match <[Option<String>; 2]>::try_from(row) {
                Ok([id, text]) => Some((number(id)?, cut(text?, STATEMENT))),
                Err(_) => None,
            })
            .collect())
    }
}

/// What the server refuses is told; what is not understood or does not come ends the session.
fn tolerated<T>(answer: Result<T, Trouble>) -> Result<Result<T, Trouble>, Trouble> {
    match answer {
        Err(trouble) if !trouble.is_refusal() => Err(trouble),
        answer => Ok(answer),
    }
}

/// Whether a line of SHOW GRANTS gives the global privilege PROCESS.
fn grants_process(line: &str) -> bool {
    let Some((privileges, _)) = line.strip_prefix("GRANT ").and_then(|line| line.split_once(" ON *.* TO "))
    else {
        return false;
    };
    privileges == "ALL PRIVILEGES" || privileges.split(", ").any(|privilege| privilege == "PROCESS")
}

fn number(cell: Option<String>) -> Option<u64> {
    cell?.parse().ok()
}

fn joined(ids: &[u64]) -> String {
    ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

fn listed(row: Row) -> Option<Listed> {
    let [id, user, host, command, time, state] = <[Option<String>; 6]>::try_from(row).ok()?;
    Some(Listed {
        id: number(id)?,
        user: cut(user.unwrap_or_default(), NAME),
        client: client_of(&host.unwrap_or_default()),
        command: cut(command.unwrap_or_default(), NAME),
        // MariaDB has -1 for what has no time.
        time: seconds(number(time).unwrap_or(0)),
        state: state.filter(|state| !state.is_empty()).map(|state| cut(state, NAME)),
    })
}

/// `10.0.0.2:51844`, `db7.example:51844`, `2001:db8::7:51844`, `localhost`.
fn client_of(host: &str) -> (Option<IpAddr>, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) => {
            let address = name.trim_matches(['[', ']']).parse::<IpAddr>().ok();
            (address.map(|address| address.to_canonical()), port.parse().ok())
        }
        None => (host.parse().ok(), None),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_and_a_port() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(client_of("10.0.0.2:51844"), (ip("10.0.0.2"), Some(51844)));
        assert_eq!(client_of("::ffff:10.0.0.2:51844"), (ip("10.0.0.2"), Some(51844)));
        assert_eq!(client_of("2001:db8::7:51844"), (ip("2001:db8::7"), Some(51844)));
        assert_eq!(client_of("db7.example:51844"), (None, Some(51844)));
        assert_eq!(client_of("localhost"), (None, None));
        assert_eq!(client_of(""), (None, None));
    }

    #[test]
    fn process_is_a_global_privilege() {
        for line in [
            "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION",
            "GRANT SELECT, PROCESS ON *.* TO `o`@`%`",
            "GRANT PROCESS ON *.* TO `o`@`%` IDENTIFIED BY PASSWORD '*2470'",
        ] {
            assert!(grants_process(line), "{line}");
        }
        for line in [
            "GRANT USAGE ON *.* TO `o`@`%`",
            "GRANT ALL PRIVILEGES ON `PROCESS`.* TO `o`@`%`",
            "GRANT `PROCESS`@`%` TO `o`@`%`",
            "GRANT BACKUP_ADMIN,PROCESS_X ON *.* TO `o`@`%`",
        ] {
            assert!(!grants_process(line), "{line}");
        }
    }

    #[test]
    fn a_row_is_read_even_where_it_has_holes() {
        let row =
            |cells: [&str; 6]| listed(cells.map(|cell| (cell != "-").then(|| cell.to_owned())).to_vec());
        let listed = row(["7", "etl", "10.0.0.2:4", "Query", "12", "Sending to client"]).unwrap();
        assert_eq!((listed.id, listed.time, listed.client.1), (7, Duration::from_secs(12), Some(4)));
        let listed = row(["7", "system user", "-", "Daemon", "-1", ""]).unwrap();
        assert_eq!((listed.time, listed.state, listed.client), (Duration::ZERO, None, (None, None)));
        assert_eq!(row(["-", "etl", "-", "Query", "12", "-"]), None);
    }

    #[tokio::test]
    async fn of_what_a_server_says_no_more_is_kept_than_it_may_mean() {
        let long = "x".repeat(10_000);
        let most = u64::MAX.to_string();
        let listed =
            listed([&most, &long, "", &long, &most, &long].map(|cell| Some(cell.to_owned())).to_vec());
        let listed = listed.unwrap();
        assert_eq!([listed.user.len(), listed.command.len(), listed.state.unwrap().len()], [NAME; 3]);
        assert!(listed.time < Duration::MAX);

        let (mut session, wire) = tokio::io::duplex(1 << 12);
        let says = format!(
            "{{\"Row\":[\"7\",\"{long}\",\"3306\",\"MariaDB{long}\",\"{long}\"]}}\n\"Done\"\n\
             \"Done\"\n{}",
            format!("{{\"Failed\":{{\"Refused\":{{\"code\":1,\"message\":\"{long}\"}}}}}}\n").repeat(2)
        );
        tokio::spawn(async move { session.write_all(says.as_bytes()).await });
        let faculties = Faculties::of(&mut Client::over(wire), Statements::default()).await.unwrap();
        assert_eq!((faculties.version.len(), faculties.account.len()), (NAME, SENTENCE));
        assert_eq!(faculties.identity[0].as_ref().unwrap().len(), SENTENCE);
        assert_eq!(faculties.lacks.len(), 3);
        assert!(
            faculties.lacks.iter().all(|lack| lack.because.len() < 2 * SENTENCE),
            "{:?}",
            faculties.lacks
        );
    }
}
