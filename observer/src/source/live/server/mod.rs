//! What servers say of the connections observed, where the user wants them to be asked.
//!
//! ```text
//! address      where a server is: --mysql
//! option_file  the account: --mysql-defaults-file
//! tls          TLS, and with whom
//! lookup       the addresses of its name
//! client       a session at the server, as who asks sees it
//! link, session              the process that holds it
//! bounds       how much of what a server says is taken over
//! questions    what is asked, and what the account may know
//! roll         which connections there are, told by the one who observes
//! matching     which row of the process list is which connection
//! pace         when what is asked
//! asker        the asking, and what follows from the answers
//! ```
//!
//! A server may be slow, down, or refuse: each step has a time limit, answers have a size limit, and what cannot be had is
//! told once, in words. The asking runs in tasks of its own, from which events come like those of any other source.

mod address;
mod asker;
mod bounds;
mod client;
mod link;
mod lookup;
mod matching;
mod option_file;
mod pace;
mod questions;
mod roll;
mod session;
mod tls;
mod trouble;

use std::future::ready;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use observer_core::Event;
use tokio::sync::mpsc;

pub use address::{Place, ServerUrl};
use lookup::Lookup;
pub use option_file::Login;
pub use questions::Lack;
pub use roll::Naming;
pub use session::{COMMAND, serve};
use tls::Tls;

use super::{ObservationClock, Running};
use crate::cli::DEFAULT_PORT;
use crate::mysql::Statements;

/// The source's name in the header of a log.
pub(super) const SOURCE: &str = "the servers";

/// Servers that are asked at most.
const MOST: usize = 16;

/// A server that is asked.
#[derive(Clone, Debug)]
pub struct Server {
    place: Place,
    /// The account; where the server is stands above, and what there is of TLS below.
    login: Login,
    tls: Tls,
}

impl Server {
    /// The servers of the command line: one for each URL, with what option files add to it, or one for each file.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or understood, when a server has no user, or when there are too many.
    pub fn all(urls: &[ServerUrl], files: &[PathBuf]) -> anyhow::Result<Vec<Self>> {
        let logins = files.iter().map(|file| Login::read(file)).collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(
            urls.is_empty() || logins.len() <= 1,
            "with --mysql, one --mysql-defaults-file serves for all"
        );
        let servers = if urls.is_empty() {
            logins.into_iter().map(Self::of_file).collect::<anyhow::Result<Vec<_>>>()?
        } else {
            let login = logins.into_iter().next().unwrap_or_default();
            urls.iter().map(|url| Self::of_url(url, &login)).collect::<anyhow::Result<Vec<_>>>()?
        };
        ensure!(servers.len() <= MOST, "{} servers to ask, at most {MOST} can be", servers.len());
        Ok(servers)
    }

    fn of_url(url: &ServerUrl, login: &Login) -> anyhow::Result<Self> {
        let user = url.user.clone().or_else(|| login.user.clone());
        let tls = url.tls.clone().or(login.tls.clone());
        Self::new(url.place.clone(), Login { user, tls, ..login.clone() })
    }

    fn of_file(login: Login) -> anyhow::Result<Self> {
        let place = match &login.socket {
            Some(path) => Place::Socket(path.clone()),
            None => Place::Tcp {
                host: login.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned()),
                port: login.port.unwrap_or(DEFAULT_PORT),
            },
        };
        Self::new(place, login)
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Logs in and finds out what can be known.
    pub async fn examine(&self) -> Examined {
        let found = async {
            let mut client = client::Client::open(self, &mut Lookup::default(), |_| ready(())).await?;
            questions::Faculties::of(&mut client, Statements::default()).await
        };
        match found.await {
            Ok(faculties) => Examined {
                found: Ok(format!("{} as {}", faculties.version, faculties.account)),
                lacks: faculties.lacks,
            },
            Err(trouble) => Examined { found: Err(trouble.to_string()), lacks: Vec::new() },
        }
    }

    fn new(place: Place, login: Login) -> anyhow::Result<Self> {
        login.user.as_ref().with_context(|| {
            format!("no user for {place}: --mysql mysql://USER@…, or user=… in the option file")
        })?;
        let tls = Tls::to(&place, &login.tls).with_context(|| format!("TLS to {place}"))?;
        Ok(Self { place, login, tls })
    }
}

/// What an account may know of a server. Nothing of it is cleaned for a terminal.
#[derive(Debug)]
pub struct Examined {
    /// The server's version and the account, or why there is no login.
    pub found: Result<String, String>,
    /// What is not known.
    pub lacks: Vec<Lack>,
}

/// What is lost where a server cannot be asked at all.
pub const WITHOUT_ALL: &str = "each session's own net_write_timeout, its user and its statement, and whether the server \
                               has given it up";

/// Begins to ask; what the servers are to be asked about is told by [`Naming`]. Where nothing of statements is to be kept,
/// they are not asked for.
pub(super) fn start(
    servers: &[Server],
    statements: Statements,
    events: &mpsc::Sender<Vec<Event>>,
    clock: ObservationClock,
    running: &mut Running,
) -> Option<Naming> {
    if servers.is_empty() {
        return None;
    }
    let (naming, roll) = Naming::new();
    for server in servers {
        let asked = asker::Asked { server: server.clone(), is_only: servers.len() == 1, statements };
        running.spawn(asker::Asker::new(asked, roll.clone(), events.clone(), clock).run());
    }
    Some(naming)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_file_serves_for_all_urls() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("my.cnf");
        std::fs::write(&file, "[client]\nuser=app\nhost=db9\n").unwrap();
        let files = [file];
        let servers = Server::all(&[url("mysql://etl@db1"), url("mysql://db2:3307")], &files).unwrap();
        let said: Vec<_> =
            servers.iter().map(|server| (server.place.to_string(), server.login.user.as_deref())).collect();
        assert_eq!(said, [("db1:3306".to_owned(), Some("etl")), ("db2:3307".to_owned(), Some("app"))]);
        let servers = Server::all(&[], &files).unwrap();
        assert_eq!(servers[0].place.to_string(), "db9:3306");
    }

    #[test]
    fn a_server_needs_a_user() {
        let error = Server::all(&[url("mysql://db1")], &[]).unwrap_err().to_string();
        assert!(error.contains("db1:3306") && error.contains("user="), "{error}");
        assert!(Server::all(&vec![url("mysql://a@b"); MOST + 1], &[]).is_err());
        assert!(Server::all(&[], &[]).unwrap().is_empty());
    }
}
