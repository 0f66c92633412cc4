//! Logging in.
//!
//! The methods themselves are mysql_common's. What may be sent at all is decided here: never a password in the clear over
//! a network, and none that is encrypted with a key that anybody on the way could have sent, unless the user has said so.

use std::collections::HashMap;

use mysql_common::auth::plugins::{AuthProc, ChallengeResponsePlugin as _, Context, Response};
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, HandshakePacket, HandshakeResponse};

use super::option_file::Login;
use super::packets::Packets;
use super::trouble::Trouble;

/// What observer wants of the protocol.
const CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_LONG_PASSWORD)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS);

/// What it cannot do without.
const NEEDED: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH);

/// Packets that a login takes at most.
const ROUNDS: usize = 10;

/// caching_sha2_password and sha256_password ask for the server's key by one byte.
const ASKS_FOR_KEY: [[u8; 1]; 2] = [[2], [1]];

/// How the connection goes: it decides what may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A Unix socket.
    Socket,
    /// Within this host.
    Loopback,
    /// A network.
    Network,
}

/// Logs in. Gives the server's version as it names itself, not cleaned for a terminal.
pub(super) async fn log_in(packets: &mut Packets, login: &Login, way: Way) -> Result<String, Trouble> {
    let greeting = packets.read().await?;
    let greeting: HandshakePacket<'_> = ParseBuf(&greeting)
        .parse(())
        .map_err(|_| Trouble::Protocol("what listens there does not greet as MySQL does"))?;
    if !greeting.capabilities().contains(NEEDED) {
        return Err(Trouble::Protocol("the server is too old: MySQL before 5.5.7"));
    }
    let mut secret = Secret { login, way, scramble: greeting.nonce() };
    let offered = greeting.auth_plugin().map(AuthPlugin::into_owned);
    // What else it wants it says when it knows the account.
    let mut method = offered.filter(is_usual).unwrap_or(AuthPlugin::MysqlNativePassword);
    let mut procedure = secret.begin(&method)?;
    let response = secret.answer(&mut procedure, &secret.scramble)?.unwrap_or_default();
    let attributes = [("program_name", "observer"), ("_client_version", env!("CARGO_PKG_VERSION"))];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = HandshakeResponse::new(
        Some(response),
        (5, 5, 7),
        login.user.as_ref().map(String::as_bytes),
        None::<&[u8]>,
        Some(method.borrow().into_owned()),
        CAPABILITIES & greeting.capabilities(),
        Some(HashMap::from(attributes)),
        1 << 20,
    );
    packets.write(&serialised(&answer)).await?;
    for _ in 0..ROUNDS {
        let packet = packets.read().await?;
        let reply = match packet.as_slice() {
            [0, ..] => return Ok(greeting.server_version_str().into_owned()),
            [1, challenge @ ..] => secret.answer(&mut procedure, challenge)?,
            [0xfe, _, ..] => {
                let switch: AuthSwitchRequest<'_> = ParseBuf(&packet)
                    .parse(())
                    .map_err(|_| Trouble::Protocol("it asks for no known login"))?;
                method = switch.auth_plugin().into_owned();
                procedure = secret.begin(&method)?;
                secret.scramble = switch.plugin_data().to_vec();
                secret.answer(&mut procedure, &secret.scramble)?.or_else(|| Some(Vec::new()))
            }
            _ => return Err(Trouble::Protocol("it asks for a login of before MySQL 4.1")),
        };
        if let Some(reply) = reply {
            packets.write(&reply).await?;
        }
    }
    Err(Trouble::Protocol("its login has no end"))
}

fn is_usual(method: &AuthPlugin<'_>) -> bool {
    matches!(method, AuthPlugin::CachingSha2Password | AuthPlugin::MysqlNativePassword)
}

fn serialised(packet: &impl mysql_common::proto::MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.serialize(&mut bytes);
    bytes
}

/// What is known of the account, and what the methods ask for.
struct Secret<'a> {
    login: &'a Login,
    way: Way,
    scramble: Vec<u8>,
}

impl Secret<'_> {
    fn begin(&self, method: &AuthPlugin<'_>) -> Result<AuthProc, Trouble> {
        let is_clear = matches!(method, AuthPlugin::MysqlClearPassword | AuthPlugin::MysqlOldPassword);
        if is_clear && self.way != Way::Socket {
            return Err(Trouble::Protocol(
                "it asks for the password in the clear, which observer does not send",
            ));
        }
        AuthProc::init(method).map_err(|_| Trouble::Protocol(UNKNOWN))
    }

    /// What to answer to a challenge; `None` for nothing.
    fn answer(&self, procedure: &mut AuthProc, challenge: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        let response = procedure.run(self, challenge).map_err(|_| Trouble::Protocol(UNKNOWN))?;
        let (Response::Next { packet } | Response::Last { packet }) = response;
        let asks_for_key =
            packet.as_deref().is_some_and(|packet| ASKS_FOR_KEY.iter().any(|ask| ask == packet));
        if asks_for_key && self.way == Way::Network && !self.login.get_server_public_key {
            return Err(Trouble::Protocol(
                "it asks for the password itself, as nobody has logged in to this account since it started: log in once \
                 with the mysql client, or write get-server-public-key into the option file if nobody can be between",
            ));
        }
        Ok(packet)
    }
}

const UNKNOWN: &str =
    "its login method is not known here: use caching_sha2_password or mysql_native_password";

impl Context for &Secret<'_> {
    fn pass(&self) -> &[u8] {
        self.login.password.as_deref().unwrap_or_default().as_bytes()
    }

    fn is_ipc_transport(&self) -> bool {
        self.way == Way::Socket
    }

    fn is_tls_transport(&self) -> bool {
        false
    }

    fn scramble(&self) -> &[u8] {
        &self.scramble
    }

    fn server_key_pem(&self) -> Option<&[u8]> {
        None
    }
}
