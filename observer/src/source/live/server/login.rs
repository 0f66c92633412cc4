//! Logging in.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>
//!
//! A password is never sent in the clear over a network, and without TLS not encrypted with a key that anybody on the way
//! could have sent, unless the user has said so. Whom to believe under TLS is ssl-mode's to say.

use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
use mysql_common::auth::plugins::mysql_native_password::scramble_native;
use observer_core::capability::{CONNECT_ATTRS, PLUGIN_AUTH, PROTOCOL_41, SECURE_CONNECTION, SSL};

use super::key;
use super::option_file::Login;
use super::packets::Packets;
use super::tls::Tls;
use super::trouble::Trouble;

/// What observer wants of the protocol, and cannot do without.
const NEEDED: u32 = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;

/// What is taken where the server has it; the first is CLIENT_LONG_PASSWORD.
const WANTED: u32 = 1 | CONNECT_ATTRS;

/// The number of utf8mb4_general_ci.
const CHARACTER_SET: u8 = 45;

/// The length of a scramble.
const SCRAMBLE: usize = 20;

/// Of the name of a method that is not known, in characters.
const LONGEST_NAME: usize = 64;

/// Packets that a login takes at most.
const ROUNDS: usize = 10;

/// How the connection goes: it decides what may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A Unix socket.
    Socket,
    /// Within this host.
    Loopback,
    /// A network.
    Network,
    /// TLS. With whom, the user has said.
    Tls,
}

/// What caching_sha2_password says and is asked.
mod sha2 {
    pub(super) const ASK_FOR_KEY: u8 = 2;
    pub(super) const DONE: u8 = 3;
    pub(super) const SEND_ALL: u8 = 4;
}

/// How a password is shown to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Native,
    CachingSha2,
}

impl Method {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"mysql_native_password" => Some(Self::Native),
            b"caching_sha2_password" => Some(Self::CachingSha2),
            _ => None,
        }
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::Native => b"mysql_native_password",
            Self::CachingSha2 => b"caching_sha2_password",
        }
    }

    /// The answer to a scramble; nothing for an empty password.
    fn answer(self, password: &[u8], scramble: &[u8; SCRAMBLE]) -> Vec<u8> {
        match self {
            Self::Native => scramble_native(scramble, password).map(Vec::from),
            Self::CachingSha2 => scramble_sha256(scramble, password).map(Vec::from),
        }
        .unwrap_or_default()
    }
}

/// What a server says first.
struct Greeting {
    version: String,
    capabilities: u32,
    scramble: [u8; SCRAMBLE],
    /// The method it thinks of; the account may have another.
    method: Option<Method>,
}

impl Greeting {
    fn read(packet: &[u8]) -> Option<Self> {
        let text = packet.strip_prefix(&[10])?;
        let end = text.iter().position(|byte| *byte == 0)?;
        let (version, behind) = (&text[..end], &text[end + 1..]);
        // Thread id, scramble, zero, capabilities, character set, status, capabilities, length, reserved.
        let (fixed, behind) = behind.split_first_chunk::<31>()?;
        let capabilities = u32::from_le_bytes([fixed[13], fixed[14], fixed[18], fixed[19]]);
        let second = usize::from(fixed[20]).saturating_sub(8).max(13);
        let (rest, name) = behind.split_at_checked(second)?;
        let scramble = [&fixed[4..12], &rest[..12]].concat();
        Some(Self {
            version: String::from_utf8_lossy(version).into_owned(),
            capabilities,
            scramble: scramble.try_into().ok()?,
            method: Method::named(name.split(|byte| *byte == 0).next().unwrap_or_default()),
        })
    }
}

/// Logs in, by TLS where there is to be one. Gives the packets that follow, and the server's version as it names itself, not
/// cleaned for a terminal.
pub(super) async fn log_in(
    mut packets: Packets,
    login: &Login,
    tls: Option<&Tls>,
    mut way: Way,
) -> Result<(Packets, String), Trouble> {
    let greeting = packets.read().await?;
    let greeting = Greeting::read(&greeting)
        .ok_or(Trouble::Protocol("what listens there does not greet as MySQL does"))?;
    if greeting.capabilities & NEEDED != NEEDED {
        return Err(Trouble::Protocol("the server is too old: MySQL before 5.5.7"));
    }
    let password = login.password.as_deref().unwrap_or_default().as_bytes();
    let mut method = greeting.method.unwrap_or(Method::Native);
    let mut scramble = greeting.scramble;
    let mut flags = (NEEDED | WANTED) & greeting.capabilities;
    match tls {
        Some(tls) if greeting.capabilities & SSL != 0 => {
            flags |= SSL;
            packets.write(&preface(flags)).await?;
            packets = packets.secured(tls).await?;
            way = Way::Tls;
        }
        Some(tls) if tls.is_required() => {
            return Err(Trouble::Protocol("it has no TLS, which ssl-mode asks for"));
        }
        _ => {}
    }
    packets.write(&response(login, flags, method, &method.answer(password, &scramble))).await?;
    for _ in 0..ROUNDS {
        let packet = packets.read().await?;
        match packet.as_slice() {
            [0, ..] => return Ok((packets, greeting.version)),
            [0xfe, switch @ ..] if !switch.is_empty() => {
                (method, scramble) = switched(switch)?;
                packets.write(&method.answer(password, &scramble)).await?;
            }
            [1, sha2::DONE] if method == Method::CachingSha2 => {}
            [1, sha2::SEND_ALL] if method == Method::CachingSha2 => {
                let whole = [password, &[0]].concat();
                send_all(&mut packets, login, way, &whole, &scramble).await?;
            }
            _ => return Err(Trouble::Protocol(UNKNOWN)),
        }
    }
    Err(Trouble::Protocol("its login has no end"))
}

const UNKNOWN: &str = "its login is not understood";

/// The account has another method, with a scramble of its own.
fn switched(packet: &[u8]) -> Result<(Method, [u8; SCRAMBLE]), Trouble> {
    let end = packet.iter().position(|byte| *byte == 0).unwrap_or(packet.len());
    let (name, behind) = packet.split_at(end);
    let method = Method::named(name)
        .ok_or_else(|| Trouble::Method(String::from_utf8_lossy(name).chars().take(LONGEST_NAME).collect()))?;
    let scramble = behind.get(1..).and_then(<[u8]>::first_chunk::<SCRAMBLE>);
    Ok((method, *scramble.ok_or(Trouble::Protocol(UNKNOWN))?))
}

/// The server does not remember the account, and asks for the password itself.
async fn send_all(
    packets: &mut Packets,
    login: &Login,
    way: Way,
    password: &[u8],
    scramble: &[u8; SCRAMBLE],
) -> Result<(), Trouble> {
    if matches!(way, Way::Socket | Way::Tls) {
        return packets.write(password).await;
    }
    if way == Way::Network && !login.get_server_public_key {
        return Err(Trouble::Protocol(
            "it asks for the password itself, as nobody has logged in to this account since it started: log in once with \
             the mysql client, or write get-server-public-key into the option file if nobody can be between",
        ));
    }
    packets.write(&[sha2::ASK_FOR_KEY]).await?;
    let answer = packets.read().await?;
    let key = answer.strip_prefix(&[1]).ok_or(Trouble::Protocol(UNKNOWN))?;
    let hidden: Vec<u8> =
        password.iter().zip(scramble.iter().cycle()).map(|(letter, salt)| letter ^ salt).collect();
    let encrypted = key::encrypted(&hidden, key);
    packets.write(&encrypted.ok_or(Trouble::Protocol("it sent no key that could be used"))?).await
}

/// What the answer to the greeting begins with, and all of it that comes before TLS.
fn preface(flags: u32) -> Vec<u8> {
    const LONGEST_PACKET: u32 = 1 << 20;
    [&flags.to_le_bytes(), &LONGEST_PACKET.to_le_bytes(), &[CHARACTER_SET][..], &[0; 23]].concat()
}

/// The answer to the greeting.
fn response(login: &Login, flags: u32, method: Method, answer: &[u8]) -> Vec<u8> {
    let attributes = [("program_name", "observer"), ("_client_version", env!("CARGO_PKG_VERSION"))];
    let attributes = attributes.into_iter().flat_map(|(name, value)| [name, value]).map(str::as_bytes);
    let attributes: Vec<u8> = attributes.flat_map(with_length).collect();
    let mut packet = preface(flags);
    packet.extend(login.user.as_deref().unwrap_or_default().bytes().filter(|byte| *byte != 0));
    packet.push(0);
    packet.extend(with_length(answer));
    packet.extend(method.name());
    packet.push(0);
    if flags & CONNECT_ATTRS != 0 {
        packet.extend(with_length(&attributes));
    }
    packet
}

/// Some bytes behind their length, which is less than 251 in all that is sent here.
fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    [&[length], bytes].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::source::live::server::address::Place;
    use crate::source::live::server::tls::{Mode, Wanted};

    const GREETING: &[u8] = b"\x0a9.7.4\0\x07\0\0\0saltsalt\0\xff\xff\xff\x02\0\xff\xff\x15\
        \0\0\0\0\0\0\0\0\0\0saltsaltsalt\0caching_sha2_password\0";

    fn login() -> Login {
        Login { user: Some("asker".to_owned()), password: Some("sesame".to_owned()), ..Login::default() }
    }

    /// What the client makes of these packets of a server without TLS, and all that it sends.
    async fn talk(way: Way, packets: &[&[u8]]) -> (Result<String, Trouble>, Vec<u8>) {
        talk_with(None, way, packets).await
    }

    /// The same with TLS.
    async fn talk_with(tls: Option<Mode>, way: Way, packets: &[&[u8]]) -> (Result<String, Trouble>, Vec<u8>) {
        let place = Place::Tcp { host: "db1".to_owned(), port: 3306 };
        let tls = tls.and_then(|mode| Tls::to(&place, &Wanted { mode: Some(mode), ca: None }).unwrap());
        let (mut server, client) = tokio::io::duplex(1 << 16);
        for (number, packet) in packets.iter().enumerate() {
            let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
            let header = [length[0], length[1], length[2], u8::try_from(number * 2).unwrap()];
            server.write_all(&[&header, *packet].concat()).await.unwrap();
        }
        // After that it says nothing more.
        server.shutdown().await.unwrap();
        // The packets are dropped here: the client says nothing more.
        let result = log_in(Packets::new(client), &login(), tls.as_ref(), way).await;
        let result = result.map(|(_, version)| version);
        let mut sent = Vec::new();
        server.read_to_end(&mut sent).await.unwrap();
        (result, sent)
    }

    fn holds(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[tokio::test]
    async fn a_login_that_is_remembered_takes_a_hash() {
        let (result, sent) = talk(Way::Network, &[GREETING, b"\0\0\0\x02\0\0\0"]).await;
        assert_eq!(result.unwrap(), "9.7.4");
        assert!(holds(&sent, b"asker\0\x20") && holds(&sent, b"program_name\x08observer"), "{sent:?}");
        assert!(!holds(&sent, b"sesame"));
    }

    #[tokio::test]
    async fn the_password_itself_goes_through_a_socket_only() {
        let asked: [&[u8]; 2] = [GREETING, b"\x01\x04"];
        let (_, sent) = talk(Way::Socket, &asked).await;
        assert!(holds(&sent, b"sesame\0"), "{sent:?}");
        for way in [Way::Loopback, Way::Network] {
            let (_, sent) = talk(way, &asked).await;
            assert!(!holds(&sent, b"sesame"), "{way:?}");
            // Only within the host is a key asked for that anybody could send.
            assert_eq!(sent.ends_with(b"\x01\0\0\x03\x02"), way == Way::Loopback, "{way:?}: {sent:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_and_an_unknown_method_are_told() {
        let (result, _) = talk(Way::Network, &[GREETING, b"\xff\x15\x04#28000Access denied"]).await;
        assert_eq!(result.unwrap_err().to_string(), "Access denied (error 1045)");
        for (switch, why) in [
            (&b"\xfemysql_clear_password\0"[..], "logs in by mysql_clear_password,"),
            (b"\xfeclient_ed25519\0saltsaltsaltsaltsaltsaltsaltsalt", "logs in by client_ed25519,"),
            (b"\xfedialog\0Password: ", "logs in by dialog,"),
            (b"\xfemysql_native_password\0salt", "not understood"),
            (b"\xfe", "not understood"),
        ] {
            let (result, sent) = talk(Way::Network, &[GREETING, switch]).await;
            let error = result.unwrap_err().to_string();
            assert!(error.contains(why), "{switch:?}: {error}");
            assert!(!holds(&sent, b"sesame"));
        }
    }

    #[tokio::test]
    async fn nothing_of_the_account_comes_before_tls() {
        for mode in [Mode::Preferred, Mode::Required] {
            let (result, sent) = talk_with(Some(mode), Way::Network, &[GREETING, b"\0\0\0\x02\0\0\0"]).await;
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with("TLS with it fails"), "{error}");
            assert_eq!(error.contains("ssl-mode=DISABLED"), mode == Mode::Preferred, "{error}");
            // A request for TLS of 32 bytes, and TLS' own greeting.
            assert!(sent.starts_with(b"\x20\0\0\x01") && sent[36] == 22, "{sent:?}");
            assert!(!holds(&sent, b"asker"), "{sent:?}");
        }
    }

    #[tokio::test]
    async fn a_server_without_tls_is_asked_unless_it_is_required() {
        let mut greeting = GREETING.to_vec();
        // Behind version, thread id and scramble: the lower half of its capabilities.
        let lower = b"\x0a9.7.4\0\x07\0\0\0saltsalt\0".len();
        greeting[lower + 1] &= !0x08;
        let packets: [&[u8]; 2] = [&greeting, b"\0\0\0\x02\0\0\0"];
        let (result, _) = talk_with(Some(Mode::Preferred), Way::Network, &packets).await;
        assert_eq!(result.unwrap(), "9.7.4");
        let (result, sent) = talk_with(Some(Mode::Required), Way::Network, &packets).await;
        assert!(result.unwrap_err().to_string().contains("has no TLS"));
        assert_eq!(sent, b"");
    }

    proptest! {
        #[test]
        fn no_server_makes_it_panic(
            greeting in prop_oneof![
                Just(GREETING.to_vec()),
                proptest::collection::vec(any::<u8>(), 1..120),
                (0..GREETING.len(), any::<u8>()).prop_map(|(place, byte)| {
                    let mut greeting = GREETING.to_vec();
                    greeting[place] = byte;
                    greeting
                }),
            ],
            then in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 0..4),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut packets: Vec<&[u8]> = vec![&greeting];
            packets.extend(then.iter().map(Vec::as_slice));
            for tls in [None, Some(Mode::Preferred)] {
                let (_, sent) = runtime.block_on(talk_with(tls, Way::Network, &packets));
                prop_assert!(!holds(&sent, b"sesame"));
            }
        }
    }
}
