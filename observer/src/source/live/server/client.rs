//! A session at a server that only reads, and is never waited for long.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use observer_core::Flow;
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::Server;
use super::address::Place;
use super::login::{Way, log_in};
use super::packets::Packets;
use super::trouble::Trouble;
use crate::mysql::length_encoded_bytes;

/// How long a connection and a login may take.
const LOGIN: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// An answer's rows at most, in bytes: several times as long as any that is asked for.
const LONGEST_ANSWER: usize = 32 << 20;

/// The columns of an answer at most.
const COLUMNS: u8 = 16;

/// A row: text, or nothing for NULL. What is not UTF-8 is replaced.
pub(super) type Row = Vec<Option<String>>;

/// A session.
pub(super) struct Client {
    packets: Packets,
    /// The server's version as it names itself. Not cleaned for a terminal.
    pub(super) version: String,
    /// Where the server is, if it is not asked over a Unix socket.
    pub(super) address: Option<SocketAddr>,
}

impl Client {
    /// Connects and logs in. `announce` is told the two ends of the connection before there is one.
    pub(super) async fn open(server: &Server, announce: impl AsyncFnOnce(Flow)) -> Result<Self, Trouble> {
        timeout(LOGIN, Self::connect(server, announce)).await.map_err(|_| Trouble::Slow(LOGIN))?
    }

    async fn connect(server: &Server, announce: impl AsyncFnOnce(Flow)) -> Result<Self, Trouble> {
        let (packets, way, address) = match &server.place {
            Place::Socket(path) => (Packets::new(UnixStream::connect(path).await?), Way::Socket, None),
            Place::Tcp { host, port } => {
                let mut addresses = lookup_host((host.as_str(), *port)).await?;
                let address = addresses.next().ok_or(Trouble::Protocol("its name has no address"))?;
                let stream = dial(address, announce).await?;
                let way =
                    if address.ip().to_canonical().is_loopback() { Way::Loopback } else { Way::Network };
                (Packets::new(stream), way, Some(address))
            }
        };
        let (packets, version) = log_in(packets, &server.login, server.tls.as_ref(), way).await?;
        let mut client = Self { packets, version, address };
        // A server without one of these variables is asked all the same.
        client.command("SET SESSION TRANSACTION READ ONLY").await?;
        let limit = if client.is_mariadb() { "max_statement_time = 2" } else { "max_execution_time = 2000" };
        for setting in [limit, "lock_wait_timeout = 1", "wait_timeout = 120", "net_write_timeout = 5"] {
            match client.command(&format!("SET SESSION {setting}")).await {
                Err(trouble) if !trouble.is_refusal() => return Err(trouble),
                _ => {}
            }
        }
        Ok(client)
    }

    /// A session with a server that is at the other end of this.
    #[cfg(test)]
    pub(super) fn over(wire: tokio::io::DuplexStream, version: &str) -> Self {
        Self { packets: Packets::new(wire), version: version.to_owned(), address: None }
    }

    pub(super) fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    /// Asks; the answer has `most` rows at most.
    pub(super) async fn query(&mut self, statement: &str, most: usize) -> Result<Vec<Row>, Trouble> {
        timeout(ANSWER, self.ask(statement, most)).await.map_err(|_| Trouble::Slow(ANSWER))?
    }

    async fn command(&mut self, statement: &str) -> Result<(), Trouble> {
        self.ask(statement, 0).await.map(drop)
    }

    async fn ask(&mut self, statement: &str, most: usize) -> Result<Vec<Row>, Trouble> {
        const COM_QUERY: u8 = 3;
        self.packets.command(&[&[COM_QUERY], statement.as_bytes()].concat()).await?;
        let columns = match self.packets.read().await?.as_slice() {
            [0, ..] => return Ok(Vec::new()),
            [columns @ 1..=COLUMNS] => usize::from(*columns),
            _ => return Err(Trouble::Protocol("its answer is not understood")),
        };
        for _ in 0..columns {
            self.packets.read().await?;
        }
        if !is_eof(&self.packets.read().await?) {
            return Err(Trouble::Protocol("its answer is not understood"));
        }
        let (mut rows, mut length) = (Vec::new(), 0);
        loop {
            let packet = self.packets.read().await?;
            if is_eof(&packet) {
                return Ok(rows);
            }
            if rows.len() >= most {
                return Err(Trouble::Protocol("its answer has more rows than were asked for"));
            }
            length += packet.len();
            if length > LONGEST_ANSWER {
                return Err(Trouble::Protocol("its answer is too long"));
            }
            rows.push(
                row(&packet, columns).ok_or(Trouble::Protocol("a row of its answer is not understood"))?,
            );
        }
    }
}

impl Drop for Client {
    /// Takes leave: the server would count a client that aborts otherwise (`Aborted_clients`), and log it.
    fn drop(&mut self) {
        const COM_QUIT: u8 = 1;
        self.packets.say(COM_QUIT);
    }
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

/// An EOF packet; a row can begin with the same byte, but is longer then.
fn is_eof(packet: &[u8]) -> bool {
    matches!(packet, [0xfe, ..]) && packet.len() < 9
}

fn row(mut packet: &[u8], columns: usize) -> Option<Row> {
    const NULL: u8 = 0xfb;
    let mut row = Vec::with_capacity(columns);
    for _ in 0..columns {
        if let [NULL, rest @ ..] = packet {
            row.push(None);
            packet = rest;
        } else {
            let (text, rest) = length_encoded_bytes(packet)?;
            row.push(Some(String::from_utf8_lossy(text).into_owned()));
            packet = rest;
        }
    }
    packet.is_empty().then_some(row)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn rows_are_texts_and_nulls() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(row(b"\x027a\xfb\0", 3), Some(vec![text("7a"), None, text("")]));
        for wrong in [&b"\x027a"[..], b"\x027a\xfb", b"\x037a", b"\x027a\xfb\0\0"] {
            assert_eq!(row(wrong, 3), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn it_takes_leave() {
        let (mut server, client) = tokio::io::duplex(64);
        drop(Client::over(client, ""));
        let mut sent = Vec::new();
        server.read_to_end(&mut sent).await.unwrap();
        assert_eq!(sent, b"\x01\0\0\0\x01");
    }

    #[tokio::test]
    async fn an_answer_is_not_read_without_end() {
        let (mut server, client) = tokio::io::duplex(1 << 16);
        let serving = tokio::spawn(async move {
            let nulls = [0xfb; 15];
            // A row as long as a packet may be: one text, and fifteen that are NULL.
            let text = (1 << 20) - 19;
            let row =
                [&b"\xfd"[..], &u32::to_le_bytes(text)[..3], &vec![b'a'; text as usize], &nulls].concat();
            let before = std::iter::once(vec![16]).chain((0..16).map(|_| b"\x03def".to_vec()));
            let before = before.chain(std::iter::once(b"\xfe\0\0\x02\0".to_vec()));
            let mut number = 0_u8;
            for packet in before.chain(std::iter::repeat(row)) {
                number = number.wrapping_add(1);
                let [low, middle, high, _] = u32::try_from(packet.len()).unwrap().to_le_bytes();
                server.write_all(&[low, middle, high, number]).await?;
                server.write_all(&packet).await?;
            }
            std::io::Result::Ok(())
        });
        let mut client = Client::over(client, "");
        let trouble = client.ask("SELECT", 20_000).await.unwrap_err();
        assert_eq!(trouble.to_string(), "its answer is too long");
        drop(client);
        assert!(serving.await.unwrap().is_err());
    }

    #[test]
    fn an_eof_packet_is_short() {
        assert!(is_eof(b"\xfe\0\0\x02\0"));
        assert!(!is_eof(b"\xfe\0\0\0\0\0\0\0\0"));
        assert!(!is_eof(b"\x01a"));
    }
}
