//! A session at a server that only reads, and is never waited for long.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::process::Stdio;
use std::time::Duration;

use observer_core::Flow;
use serde::Serialize;
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout, timeout_at};

use super::Server;
use super::address::Place;
use super::link::{Answer, Link, Order, Row};
use super::lookup::Lookup;
use super::session;
use super::trouble::Trouble;

/// How long finding the server, a connection and a login may take together.
const LOGIN: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// An answer's rows at most, in bytes: longer than any that is asked for.
const LONGEST_ANSWER: usize = 16 << 20;

/// How long is waited for the status of the process, after it has said its last.
const END: Duration = Duration::from_millis(500);

/// A session, held by a process of its own.
pub(super) struct Client {
    link: Link,
    process: Option<Child>,
    /// Where the server is, if it is not asked over a Unix socket.
    pub(super) address: Option<SocketAddr>,
}

impl Client {
    /// Connects and logs in. `announce` is told the two ends of a connection before there is one.
    pub(super) async fn open<F: Future<Output = ()>>(
        server: &Server,
        lookup: &mut Lookup,
        announce: impl Fn(Flow) -> F,
    ) -> Result<Self, Trouble> {
        let until = Instant::now() + LOGIN;
        let opening = Self::connect(server, lookup, until, announce);
        timeout_at(until, opening).await.map_err(|_| Trouble::Slow(LOGIN))?
    }

    async fn connect<F: Future<Output = ()>>(
        server: &Server,
        lookup: &mut Lookup,
        until: Instant,
        announce: impl Fn(Flow) -> F,
    ) -> Result<Self, Trouble> {
        let (connection, address): (OwnedFd, _) = match &server.place {
            Place::Socket(path) => (UnixStream::connect(path).await?.into_std()?.into(), None),
            Place::Tcp { host, port } => {
                let addresses = lookup.addresses(host, *port, until).await?;
                let (connection, address) = reach(&addresses, until, announce).await?;
                (connection.into_std()?.into(), Some(address))
            }
        };
        let (link, process) = start(connection)?;
        let mut client = Self { link, process: Some(process), address };
        let login = &server.login;
        let order = Order {
            user: login.user.clone().unwrap_or_default(),
            password: login.password.clone(),
            tls: server.tls.clone(),
        };
        client.say(&order).await?;
        client.answer(0).await?;
        client.ask("SET SESSION TRANSACTION READ ONLY", 0).await?;
        // MariaDB has the first one, MySQL the second. A server without one of these is asked all the same.
        for setting in [
            "max_statement_time = 2",
            "max_execution_time = 2000",
            "lock_wait_timeout = 1",
            "wait_timeout = 120",
            "net_write_timeout = 5",
        ] {
            match client.ask(&format!("SET SESSION {setting}"), 0).await {
                Err(trouble) if !trouble.is_refusal() => return Err(trouble),
                _ => {}
            }
        }
        Ok(client)
    }

    /// A session that is held by who is at the other end of this.
    #[cfg(test)]
    pub(super) fn over(wire: tokio::io::DuplexStream) -> Self {
        Self { link: Link::over(wire), process: None, address: None }
    }

    /// Asks; the answer has `most` rows at most.
    pub(super) async fn query(&mut self, statement: &str, most: usize) -> Result<Vec<Row>, Trouble> {
        timeout(ANSWER, self.ask(statement, most)).await.map_err(|_| Trouble::Slow(ANSWER))?
    }

    async fn ask(&mut self, statement: &str, most: usize) -> Result<Vec<Row>, Trouble> {
        self.say(&statement).await?;
        self.answer(most).await
    }

    async fn say(&mut self, what: &impl Serialize) -> Result<(), Trouble> {
        match self.link.outgoing.say(what).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended().await),
        }
    }

    async fn answer(&mut self, most: usize) -> Result<Vec<Row>, Trouble> {
        let (mut rows, mut sum) = (Vec::new(), 0);
        loop {
            let (answer, length) = match self.link.incoming.next().await {
                Ok(Some(next)) => next,
                Ok(None) => return Err(self.ended().await),
                // It had not read all that was said to it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(self.ended().await);
                }
                Err(error) => return Err(error.into()),
            };
            match answer {
                Answer::Done => return Ok(rows),
                Answer::Failed(trouble) => return Err(trouble.in_short()),
                Answer::Row(_) if rows.len() >= most => {
                    return Err("its answer has more rows than were asked for".into());
                }
                Answer::Row(row) => {
                    // Of many holes in it the line tells less than they take.
                    sum += length + size_of_val(row.as_slice());
                    rows.push(row);
                }
            }
            if sum > LONGEST_ANSWER {
                return Err("its answer is too long".into());
            }
        }
    }

    /// What to say when the process says no more.
    async fn ended(&mut self) -> Trouble {
        let Some(process) = &mut self.process else { return ENDED.into() };
        match timeout(END, process.wait()).await {
            Ok(Ok(status)) => Trouble::Told(format!("{ENDED} ({status})")),
            _ => ENDED.into(),
        }
    }
}

const ENDED: &str = "the process that reads its answers has ended";

/// Starts the process that holds the session over this connection. It ends when this end of the link is dropped.
fn start(connection: OwnedFd) -> Result<(Link, Child), Trouble> {
    let (own, other) = StdStream::pair()?;
    own.set_nonblocking(true)?;
    // This very program, whatever has become of its file.
    let process = Command::new("/proc/self/exe")
        .arg0("observer")
        .arg(session::COMMAND)
        .env_clear()
        // Whom the host trusts does not count for a server, unless it is told to.
        .env("SSL_CERT_FILE", "/dev/null")
        .current_dir("/")
        .stdin(Stdio::from(connection))
        .stdout(Stdio::from(OwnedFd::from(other)))
        .stderr(Stdio::null())
        // Ctrl-C is for the one who asks. This ends after it, and takes leave.
        .process_group(0)
        .spawn()?;
    Ok((Link::over(UnixStream::from_std(own)?), process))
}

/// Connects to the first of these addresses that can be reached, and says which it is. Each has its share of the time.
async fn reach<F: Future<Output = ()>>(
    addresses: &[SocketAddr],
    until: Instant,
    announce: impl Fn(Flow) -> F,
) -> Result<(TcpStream, SocketAddr), Trouble> {
    let mut last = "its name has no address".into();
    for (index, &address) in addresses.iter().enumerate() {
        let to_try = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = until.saturating_duration_since(Instant::now()) / to_try;
        match timeout(share, dial(address, &announce)).await {
            Ok(Ok(connection)) => return Ok((connection, address)),
            Ok(Err(trouble)) => last = trouble,
            Err(_) => last = Trouble::Slow(LOGIN),
        }
    }
    Err(last)
}

/// Connects from an address that is known before.
async fn dial<F: Future<Output = ()>>(
    to: SocketAddr,
    announce: &impl Fn(Flow) -> F,
) -> Result<TcpStream, Trouble> {
    let (socket, any) = if to.is_ipv4() {
        (TcpSocket::new_v4()?, IpAddr::from(Ipv4Addr::UNSPECIFIED))
    } else {
        (TcpSocket::new_v6()?, IpAddr::from(Ipv6Addr::UNSPECIFIED))
    };
    // Nothing is sent by this; it tells the address from which the host reaches that one.
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(to)?;
    socket.bind((probe.local_addr()?.ip(), 0).into())?;
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    announce(Flow { client: canonical(socket.local_addr()?), server: canonical(to) }).await;
    Ok(socket.connect(to).await?)
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::future::ready;
    use std::net::TcpListener;
    use std::sync::Mutex;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// What is made of this answer, and whether all of it was taken.
    async fn query(answer: Vec<u8>, most: usize) -> (Result<Vec<Row>, Trouble>, bool) {
        let (mut session, wire) = tokio::io::duplex(1 << 12);
        let mut client = Client::over(wire);
        let answering = tokio::spawn(async move { session.write_all(&answer).await });
        let result = client.query("SELECT", most).await;
        drop(client);
        (result, answering.await.unwrap().is_ok())
    }

    fn told<T: fmt::Debug>(result: Result<T, Trouble>) -> String {
        result.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_tried_and_announced() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let announced = Mutex::new(Vec::new());
        let announce = |flow: Flow| {
            announced.lock().unwrap().push(flow.server);
            ready(())
        };
        let until = Instant::now() + LOGIN;
        let (connection, address) = reach(&[nowhere, there, nowhere], until, &announce).await.unwrap();
        assert_eq!((connection.peer_addr().unwrap(), address), (there, there));
        assert_eq!(*announced.lock().unwrap(), [nowhere, there]);
        assert!(told(reach(&[nowhere], until, &announce).await).contains("refused"));
        assert_eq!(told(reach(&[], until, &announce).await), "its name has no address");
    }

    #[tokio::test]
    async fn an_answer_is_rows_and_an_end() {
        let rows = b"{\"Row\":[\"7\",null]}\n".repeat(2);
        let (result, _) = query([&rows[..], b"\"Done\"\n"].concat(), 2).await;
        assert_eq!(result.unwrap(), vec![vec![Some("7".to_owned()), None]; 2]);
        let (result, _) = query(rows.clone(), 1).await;
        assert_eq!(told(result), "its answer has more rows than were asked for");
        let (result, _) = query(rows, 2).await;
        assert_eq!(told(result), ENDED);
    }

    #[tokio::test]
    async fn an_answer_is_not_read_without_end() {
        let row = [&b"{\"Row\":[\""[..], &vec![b'a'; 1 << 19], b"\"]}\n"].concat();
        let (result, is_taken) = query(row.repeat(80), 20_000).await;
        assert_eq!((told(result).as_str(), is_taken), ("its answer is too long", false));
        let row = [&b"{\"Row\":["[..], &b"null,".repeat(1 << 16), b"null]}\n"].concat();
        let (result, is_taken) = query(row.repeat(16), 20_000).await;
        assert_eq!((told(result).as_str(), is_taken), ("its answer is too long", false));
        let (result, is_taken) = query(vec![b' '; 1 << 21], 20_000).await;
        assert_eq!((told(result).as_str(), is_taken), ("its answer is too long", false));
    }
}
