//! Where a server is, as the user names it: `mysql://USER@HOST:PORT`, or with a socket of its host.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::tls::Wanted;
use crate::cli::DEFAULT_PORT;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host's name or address, and a port.
    Tcp {
        /// The host. An IPv6 address has no brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket of this host.
    Socket(PathBuf),
}

/// A server as `--mysql` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// The account; `None` where the option file is to say it.
    pub user: Option<String>,
    /// Where it is.
    pub place: Place,
    /// TLS.
    pub tls: Wanted,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl FromStr for ServerUrl {
    type Err = String;

    /// The message never repeats what was given: there may be a password in it.
    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("mysql://").ok_or("not a URL of the form mysql://USER@HOST:PORT")?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = authority.split_once('/').unwrap_or((authority, ""));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(
                "a password does not belong in a URL, which every user of this host can read on a command line: \
                        write it into an option file (mode 0600) and name that with --mysql-defaults-file"
                    .to_owned(),
            );
        }
        if !path.is_empty() {
            return Err("a schema is of no use here: leave out what follows the port".to_owned());
        }
        let user = user.map(decoded).transpose()?.filter(|user| !user.is_empty());
        let (socket, tls) = parameters(query)?;
        let place = socket.map_or_else(|| host_and_port(place), |path| Ok(Place::Socket(path)))?;
        Ok(Self { user, place, tls })
    }
}

/// The socket that the parameters name, if they do, and what they say of TLS.
fn parameters(query: &str) -> Result<(Option<PathBuf>, Wanted), String> {
    let (mut socket, mut tls) = (None, Wanted::default());
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value)?;
        match name {
            "socket" => socket = Some(value.into()),
            "ssl-mode" => tls.mode = Some(value.parse()?),
            "ssl-ca" => tls.ca = Some(value.into()),
            _ => return Err("the parameters are ?socket=PATH, ssl-mode=MODE and ssl-ca=FILE".to_owned()),
        }
    }
    Ok((socket, tls))
}

fn host_and_port(text: &str) -> Result<Place, String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, behind) = text.split_once(']').ok_or("the address has no closing bracket")?;
            (host, behind.strip_prefix(':'))
        }
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err("no host: mysql://USER@HOST:PORT, or mysql://USER@localhost?socket=PATH".to_owned());
    }
    let port = match port {
        Some(port) => {
            port.parse().ok().filter(|port| *port > 0).ok_or("the port is not a number from 1 to 65535")?
        }
        None => DEFAULT_PORT,
    };
    Ok(Place::Tcp { host: decoded(host)?, port })
}

/// What percent signs stand for (RFC 3986, 2.1).
fn decoded(text: &str) -> Result<String, String> {
    const WRONG: &str = "a percent sign is to be followed by two hexadecimal digits of UTF-8";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        if *first == b'%' {
            let [high, low, behind @ ..] = behind else { return Err(WRONG.to_owned()) };
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (high, low) = digit(*high).zip(digit(*low)).ok_or(WRONG)?;
            bytes.push(high << 4 | low);
            rest = behind;
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).map_err(|_| WRONG.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::live::server::tls::Mode;

    fn tcp(host: &str, port: u16) -> Place {
        Place::Tcp { host: host.to_owned(), port }
    }

    fn parse(text: &str) -> Result<(Option<String>, Place), String> {
        text.parse::<ServerUrl>().map(|url| (url.user, url.place))
    }

    #[test]
    fn hosts_ports_and_sockets() {
        let etl = || Some("etl".to_owned());
        assert_eq!(parse("mysql://etl@db1:3307"), Ok((etl(), tcp("db1", 3307))));
        assert_eq!(parse("mysql://db1"), Ok((None, tcp("db1", 3306))));
        assert_eq!(parse("mysql://db1/"), Ok((None, tcp("db1", 3306))));
        assert_eq!(
            parse("mysql://a%40b@[2001:db8::1]:3307"),
            Ok((Some("a@b".to_owned()), tcp("2001:db8::1", 3307)))
        );
        let socket = Place::Socket("/run/mysqld/mysqld.sock".into());
        assert_eq!(parse("mysql://etl@localhost?socket=/run/mysqld/mysqld.sock"), Ok((etl(), socket)));
    }

    #[test]
    fn tls_is_a_parameter() {
        let url: ServerUrl = "mysql://etl@db1?ssl-mode=verify-identity&ssl-ca=/a%26b".parse().unwrap();
        assert_eq!(url.tls, Wanted { mode: Some(Mode::VerifyIdentity), ca: Some("/a&b".into()) });
        assert_eq!(
            (url.place, "mysql://db1".parse().map(|url: ServerUrl| url.tls)),
            (tcp("db1", 3306), Ok(Wanted::default()))
        );
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        for text in ["mysql://etl:hunter2@db1", "mysql://etl:@db1", "mysql://etl:hunter2@db1:3306/x?y"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("--mysql-defaults-file") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "db1",
            "http://db1",
            "mysql://",
            "mysql://@",
            "mysql://db1:0",
            "mysql://db1:x",
            "mysql://[::1",
            "mysql://db1/orders",
            "mysql://db1?tls=1",
            "mysql://db1?ssl-mode=on",
            "mysql://%zz@db1",
            "mysql://%+5@db1",
            "mysql://%ff@db1",
            "mysql://db%1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_is_written_as_it_is_given() {
        assert_eq!(tcp("2001:db8::1", 3307).to_string(), "[2001:db8::1]:3307");
        assert_eq!(tcp("db1", 3306).to_string(), "db1:3306");
        assert_eq!(Place::Socket("/s".into()).to_string(), "/s");
    }
}
