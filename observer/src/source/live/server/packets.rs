//! Packets to a server and from it, within limits.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

use std::pin::Pin;
use std::task::{Context, Waker};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::tls::Tls;
use super::trouble::Trouble;

/// A longer packet answers no question of observer's.
const LONGEST: usize = 1 << 20;

/// A connection of either kind.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// The two directions of a connection, in packets.
pub(super) struct Packets {
    wire: Box<dyn Wire>,
    /// The number of the next packet, whoever sends it.
    sequence: u8,
}

impl Packets {
    pub(super) fn new(wire: impl Wire + 'static) -> Self {
        Self { wire: Box::new(wire), sequence: 0 }
    }

    /// The same packets within TLS. Nothing that came before is left over: no more is read than a packet.
    pub(super) async fn secured(self, tls: &Tls) -> Result<Self, Trouble> {
        Ok(Self { wire: Box::new(tls.over(self.wire).await?), sequence: self.sequence })
    }

    /// The next packet; an ERR packet is an error.
    pub(super) async fn read(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut header = [0; 4];
        self.wire.read_exact(&mut header).await?;
        let [low, middle, high, sequence] = header;
        if sequence != self.sequence {
            return Err(Trouble::Protocol("its packets are out of order"));
        }
        self.sequence = sequence.wrapping_add(1);
        let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        if length > LONGEST {
            return Err(Trouble::Protocol("its answer is too long"));
        }
        let mut payload = vec![0; length];
        self.wire.read_exact(&mut payload).await?;
        match payload.split_first() {
            Some((0xff, error)) => Err(refusal(error)),
            Some(_) => Ok(payload),
            None => Err(Trouble::Protocol("it sent an empty packet")),
        }
    }

    /// Sends the next packet.
    pub(super) async fn write(&mut self, payload: &[u8]) -> Result<(), Trouble> {
        let length = u32::try_from(payload.len()).ok().filter(|length| *length < 0xff_ffff);
        let [low, middle, high, _] = length.ok_or(Trouble::Protocol("too long a question"))?.to_le_bytes();
        let packet = [&[low, middle, high, self.sequence], payload].concat();
        self.sequence = self.sequence.wrapping_add(1);
        Ok(self.wire.write_all(&packet).await?)
    }

    /// Sends a command that nothing answers and nobody waits for, if there is room for it at once.
    pub(super) fn say(&mut self, command: u8) {
        let mut nobody = Context::from_waker(Waker::noop());
        // Where there is no room, the connection ends without it.
        let _ = Pin::new(&mut self.wire).poll_write(&mut nobody, &[1, 0, 0, 0, command]);
    }

    /// Begins a command.
    pub(super) async fn command(&mut self, payload: &[u8]) -> Result<(), Trouble> {
        self.sequence = 0;
        self.write(payload).await
    }
}

/// An ERR packet behind its first byte: number, `#` and SQLSTATE, message. Before the login there is no SQLSTATE.
fn refusal(error: &[u8]) -> Trouble {
    let Some((code, text)) = error.split_first_chunk() else {
        return Trouble::Protocol("it refused without a reason");
    };
    let text = match text {
        [b'#', behind @ ..] => behind.get(5..).unwrap_or_default(),
        text => text,
    };
    let message = String::from_utf8_lossy(text).chars().take(200).collect();
    Trouble::Refused { code: u16::from_le_bytes(*code), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<Vec<u8>, Trouble> {
        let (mut server, client) = tokio::io::duplex(64);
        server.write_all(bytes).await.unwrap();
        drop(server);
        Packets::new(client).read().await
    }

    #[tokio::test]
    async fn packets_are_numbered_and_of_a_length() {
        assert_eq!(read(b"\x02\0\0\0ab").await.unwrap(), b"ab");
        for wrong in [&b"\x02\0\0\x01ab"[..], b"\x02\0\0\0a", b"\x02\0", b"\xff\xff\xff\0", b"\0\0\0\0"] {
            assert!(read(wrong).await.is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn an_err_packet_is_a_refusal() {
        let told = read(b"\x0f\0\0\0\xff\x15\x04#28000Denied").await.unwrap_err();
        assert_eq!(told.to_string(), "Denied (error 1045)");
        assert!(told.is_refusal());
        assert_eq!(
            read(b"\x0a\0\0\0\xff\x10\x04Too man").await.unwrap_err().to_string(),
            "Too man (error 1040)"
        );
        assert!(!read(b"\x02\0\0\0\xff\x15").await.unwrap_err().is_refusal());
    }
}
