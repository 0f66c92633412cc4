//! The client's answer to the greeting: what it is able to do, and who it says it is.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use observer_core::{Account, Connector, capability};

use super::Packet;
use super::packet::{length_encoded, length_encoded_bytes};

/// Length of an SSLRequest, which ends before the user's name.
const SSL_REQUEST: u32 = 32;

/// Where the user's name begins: behind the packet's header and 32 bytes of flags, sizes and zeros.
pub const LOGIN_FIXED: usize = 36;
/// Bytes of a login that are looked at for the user's name.
pub const LOGIN_HEAD: usize = 128;
/// Bytes behind the response that are looked at.
pub const LOGIN_REST: usize = 256;

/// Bytes of a name that are told.
const NAME: usize = 64;

/// The client's answer to the greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The [capabilities](observer_core::capability) the client wants.
    pub capabilities: u32,
    /// Whether it is only the announcement of TLS: what follows cannot be read.
    pub tls: bool,
    /// Who logs in, where that is there.
    pub account: Option<Account>,
}

impl Login {
    /// Reads the first bytes of a client's stream.
    ///
    /// Of them as much is looked at as the kernel programs tell of a login, so that all sources tell the same.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head = &bytes[..bytes.len().min(LOGIN_HEAD)];
        let capabilities = Self::from_parts(head, &[])?.capabilities;
        let rest = behind_response(bytes, capabilities).unwrap_or_default();
        Self::from_parts(head, &rest[..rest.len().min(LOGIN_REST)])
    }

    /// Reads it from two parts: the packet's header and payload up to the user's name, and what stands behind the
    /// response that proves who the client is. That response is in neither.
    pub fn from_parts(head: &[u8], rest: &[u8]) -> Option<Self> {
        let packet = Packet::first(head).filter(|packet| packet.sequence == 1)?;
        let (lower, behind) = packet.payload.split_first_chunk()?;
        let lower = u32::from(u16::from_le_bytes(*lower));
        if lower & capability::PROTOCOL_41 == 0 {
            // Before 4.1 the maximal packet size, three bytes, followed 16 bits of flags.
            return (packet.length >= 5).then_some(Self {
                capabilities: lower,
                tls: lower & capability::SSL != 0 && packet.length == 5,
                account: None,
            });
        }
        let (upper, _) = behind.split_first_chunk()?;
        let capabilities = u32::from(u16::from_le_bytes(*upper)) << 16 | lower;
        let tls = capabilities & capability::SSL != 0 && packet.length == SSL_REQUEST;
        let account = if tls { None } else { account(head, rest, capabilities) };
        (packet.length >= SSL_REQUEST).then_some(Self { capabilities, tls, account })
    }
}

/// What stands behind the response that proves who the client is; `None` where its length is not one byte.
fn behind_response(bytes: &[u8], capabilities: u32) -> Option<&[u8]> {
    let one_byte = capability::SECURE_CONNECTION | capability::PLUGIN_AUTH_LENENC_CLIENT_DATA;
    let (_, behind) = until_zero(bytes.get(LOGIN_FIXED..)?)?;
    let (&length, behind) = behind.split_first()?;
    (capabilities & one_byte != 0 && length <= 250).then(|| behind.get(usize::from(length)..))?
}

fn account(head: &[u8], rest: &[u8], capabilities: u32) -> Option<Account> {
    let has = |flag| capabilities & flag != 0;
    let (user, _) = until_zero(head.get(LOGIN_FIXED..)?)?;
    let (mut database, mut rest) = (None, rest);
    if has(capability::CONNECT_WITH_DB)
        && let Some((name, behind)) = until_zero(rest)
    {
        (database, rest) = (text(name), behind);
    }
    if has(capability::PLUGIN_AUTH) {
        rest = until_zero(rest).map_or(&[][..], |(_, behind)| behind);
    }
    let connector = if has(capability::CONNECT_ATTRS) { attributes(rest) } else { None };
    let account = Account { user: text(user), database, connector };
    (account != Account::default()).then_some(account)
}

/// Of the attributes those that name the client, as far as they are there.
fn attributes(bytes: &[u8]) -> Option<Connector> {
    // How long they are: they may be cut off.
    let (_, mut rest) = length_encoded(bytes)?;
    let (mut connector, mut own) = (Connector::default(), (None, None));
    while let Some((name, behind)) = length_encoded_bytes(rest)
        && let Some((value, behind)) = length_encoded_bytes(behind)
    {
        rest = behind;
        match name {
            // Connector/Python may use the C library, which names itself too.
            b"_connector_name" => own.0 = text(value),
            b"_connector_version" => own.1 = text(value),
            b"_client_name" => connector.name = text(value),
            b"_client_version" => connector.version = text(value),
            b"program_name" => connector.program = text(value),
            b"_pid" => connector.pid = std::str::from_utf8(value).ok().and_then(|pid| pid.parse().ok()),
            _ => {}
        }
    }
    if let (Some(name), version) = own {
        (connector.name, connector.version) = (Some(name), version);
    }
    (connector != Connector::default()).then_some(connector)
}

/// A name of which something is there.
fn text(name: &[u8]) -> Option<String> {
    let name = &name[..name.len().min(NAME)];
    (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
}

fn until_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAMBLE: &[u8] = b"\x14a scramble, 20 bytes";
    const ATTRIBUTES: &[u8] = b"\x3a\x0c_client_name\x07pymysql\x04_pid\x044711\x0f_client_version\x051.1.1";
    const WHOLE: u32 = capability::PROTOCOL_41
        | capability::CONNECT_WITH_DB
        | capability::SECURE_CONNECTION
        | capability::PLUGIN_AUTH
        | capability::CONNECT_ATTRS;

    fn login(length: u8, capabilities: u32) -> Option<Login> {
        let flags = capabilities.to_le_bytes();
        let payload = [&flags[..], &[0; 28], b"app\0"].concat();
        Login::parse(&[&[length, 0, 0, 1], &payload[..]].concat())
    }

    /// A login with all there is.
    fn whole(capabilities: u32) -> Vec<u8> {
        let flags = capabilities.to_le_bytes();
        let payload =
            [&flags[..], &[0; 28], b"app\0", SCRAMBLE, b"shop\0", b"caching_sha2_password\0", ATTRIBUTES]
                .concat();
        [&[u8::try_from(payload.len()).unwrap(), 0, 0, 1], &payload[..]].concat()
    }

    #[test]
    fn a_login_gives_the_capabilities_and_the_user() {
        let capabilities = capability::PROTOCOL_41 | capability::DEPRECATE_EOF | capability::SSL;
        let login = login(36, capabilities).unwrap();
        assert_eq!((login.capabilities, login.tls), (capabilities, false));
        assert_eq!(login.account.unwrap().user.as_deref(), Some("app"));
    }

    #[test]
    fn a_login_says_who_the_client_is_and_never_how_it_proves_that() {
        let bytes = whole(WHOLE);
        let text = |text: &str| Some(text.to_owned());
        let connector =
            Connector { name: text("pymysql"), version: text("1.1.1"), program: None, pid: Some(4711) };
        let account = Account { user: text("app"), database: text("shop"), connector: Some(connector) };
        assert_eq!(Login::parse(&bytes).unwrap().account, Some(account));
        // Whatever the flags say, and wherever it is cut off.
        for capabilities in [WHOLE, capability::PROTOCOL_41, !capability::SSL, WHOLE & !(1 << 15)] {
            let bytes = whole(capabilities);
            for cut in 0..bytes.len() {
                let told = format!("{:?}", Login::parse(&bytes[..cut]));
                assert!(!told.contains("scramble"), "{told}");
            }
        }
    }

    #[test]
    fn attributes_that_are_cut_off_are_told_as_far_as_they_are_there() {
        let bytes = whole(WHOLE);
        let account = Login::parse(&bytes[..bytes.len() - 3]).unwrap().account.unwrap();
        let connector = account.connector.unwrap();
        assert_eq!((connector.pid, connector.version), (Some(4711), None));
    }

    #[test]
    fn a_connector_counts_before_the_library_it_uses() {
        let attributes = b"\x5a\x0c_client_name\x08libmysql\x0f_client_version\x059.7.0\
                           \x0f_connector_name\x16mysql-connector-python\x12_connector_version\x059.5.0";
        let connector = super::attributes(attributes).unwrap();
        assert_eq!(connector.name.as_deref(), Some("mysql-connector-python"));
        assert_eq!(connector.version.as_deref(), Some("9.5.0"));
    }

    #[test]
    fn a_name_that_is_too_long_is_not_told() {
        let payload = [&WHOLE.to_le_bytes()[..], &[0; 28], &[b'a'; 100], b"\0", SCRAMBLE, b"shop\0"].concat();
        let bytes = [&[u8::try_from(payload.len()).unwrap(), 0, 0, 1], &payload[..]].concat();
        assert_eq!(Login::parse(&bytes).unwrap().account, None);
    }

    #[test]
    fn an_answer_that_ends_before_the_name_announces_tls() {
        let capabilities = capability::PROTOCOL_41 | capability::SSL;
        assert_eq!(login(32, capabilities), Some(Login { capabilities, tls: true, account: None }));
        assert!(!login(32, capability::PROTOCOL_41).unwrap().tls);
    }

    #[test]
    fn what_is_no_login_is_none() {
        assert_eq!(login(31, capability::PROTOCOL_41), None, "too short");
        // A command, and the record of a TLS handshake.
        assert_eq!(Login::parse(b"\x09\0\0\0\x03SELECT 1"), None);
        assert_eq!(Login::parse(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), None);
        assert_eq!(Login::parse(b"\x24\0\0\x01\x85\xa6\xff"), None, "cut off");
    }
}
