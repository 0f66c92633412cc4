//! A session at a server that only reads, and is never waited for long.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::process::Stdio;
use std::time::Duration;

use observer_core::Flow;
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio::process::Command;
use tokio::time::timeout;

use super::Server;
use super::address::Place;
use super::link::{Answer, Link, Order, Row};
use super::session;
use super::trouble::Trouble;

/// How long a connection and a login may take.
const LOGIN: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// An answer's rows at most, in bytes: several times as long as any that is asked for.
const LONGEST_ANSWER: usize = 32 << 20;

/// A session, held by a process of its own.
pub(super) struct Client {
    link: Link,
    /// Where the server is, if it is not asked over a Unix socket.
    pub(super) address: Option<SocketAddr>,
}

impl Client {
    /// Connects and logs in. `announce` is told the two ends of the connection before there is one.
    pub(super) async fn open(server: &Server, announce: impl AsyncFnOnce(Flow)) -> Result<Self, Trouble> {
        timeout(LOGIN, Self::connect(server, announce)).await.map_err(|_| Trouble::Slow(LOGIN))?
    }

    async fn connect(server: &Server, announce: impl AsyncFnOnce(Flow)) -> Result<Self, Trouble> {
        let (connection, address): (OwnedFd, _) = match &server.place {
            Place::Socket(path) => (UnixStream::connect(path).await?.into_std()?.into(), None),
            Place::Tcp { host, port } => {
                let mut addresses = lookup_host((host.as_str(), *port)).await?;
                let address = addresses.next().ok_or("its name has no address")?;
                (dial(address, announce).await?.into_std()?.into(), Some(address))
            }
        };
        let mut client = Self { link: start(connection)?, address };
        let login = &server.login;
        let order = Order {
            user: login.user.clone().unwrap_or_default(),
            password: login.password.clone(),
            tls: server.tls.clone(),
        };
        client.link.outgoing.say(&order).await?;
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
        Self { link: Link::over(wire), address: None }
    }

    /// Asks; the answer has `most` rows at most.
    pub(super) async fn query(&mut self, statement: &str, most: usize) -> Result<Vec<Row>, Trouble> {
        timeout(ANSWER, self.ask(statement, most)).await.map_err(|_| Trouble::Slow(ANSWER))?
    }

    async fn ask(&mut self, statement: &str, most: usize) -> Result<Vec<Row>, Trouble> {
        self.link.outgoing.say(&statement).await?;
        self.answer(most).await
    }

    async fn answer(&mut self, most: usize) -> Result<Vec<Row>, Trouble> {
        let (mut rows, mut sum) = (Vec::new(), 0);
        loop {
            let (answer, length) = self.link.incoming.next().await?.ok_or(ENDED)?;
            match answer {
                Answer::Done => return Ok(rows),
                Answer::Failed(trouble) => return Err(trouble.in_short()),
                Answer::Row(_) if rows.len() >= most => {
                    return Err("its answer has more rows than were asked for".into());
                }
                Answer::Row(row) => rows.push(row),
            }
            sum += length;
            if sum > LONGEST_ANSWER {
                return Err("its answer is too long".into());
            }
        }
    }
}

const ENDED: &str = "what it sent is not to be understood, or too long: the process that reads it has ended";

/// Starts the process that holds the session over this connection. It ends when this end of the link is dropped.
fn start(connection: OwnedFd) -> Result<Link, Trouble> {
    let (own, other) = StdStream::pair()?;
    own.set_nonblocking(true)?;
    // This very program, whatever has become of its file.
    Command::new("/proc/self/exe")
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
    Ok(Link::over(UnixStream::from_std(own)?))
}

/// Connects from an address that is known before.
async fn dial(to: SocketAddr, announce: impl AsyncFnOnce(Flow)) -> Result<TcpStream, Trouble> {
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

    fn told(result: Result<Vec<Row>, Trouble>) -> String {
        result.unwrap_err().to_string()
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
        let (result, is_taken) = query(vec![b' '; 1 << 21], 20_000).await;
        assert_eq!((told(result).as_str(), is_taken), ("its answer is too long", false));
    }
}
