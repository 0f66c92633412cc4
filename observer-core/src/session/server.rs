//! Which servers a timeout is given for.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::seconds;

/// The net_write_timeout of a server, as the user gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerTimeout {
    /// Which server.
    pub server: ServerAddress,
    /// Its net_write_timeout.
    #[serde(rename = "seconds", with = "seconds")]
    pub duration: Duration,
}

/// The server at one address, or all those of a host. IPv4-mapped IPv6 addresses are taken for IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    ip: IpAddr,
    port: Option<u16>,
}

impl ServerAddress {
    /// Whether the server at `address` is meant.
    pub fn includes(&self, address: SocketAddr) -> bool {
        self.ip == address.ip().to_canonical() && self.port.is_none_or(|port| port == address.port())
    }

    /// Whether it names one server and not all those of a host.
    pub(crate) fn names_one(&self) -> bool {
        self.port.is_some()
    }
}

impl FromStr for ServerAddress {
    type Err = &'static str;

    /// From `10.0.0.1`, `10.0.0.1:3306`, `[2001:db8::1]`, `[2001:db8::1]:3306`, or an IPv6 address without brackets.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
        let (ip, port) = if let Ok(address) = text.parse::<SocketAddr>() {
            (address.ip(), Some(address.port()))
        } else if let Some(ip) = bracketed() {
            (ip.into(), None)
        } else {
            (
                text.parse()
                    .map_err(|_| "not an address like 10.0.0.1, 10.0.0.1:3306 or [2001:db8::1]:3306")?,
                None,
            )
        };
        Ok(Self { ip: ip.to_canonical(), port })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip, self.port) {
            (ip, Some(port)) => SocketAddr::new(ip, port).fmt(f),
            (IpAddr::V4(ip), None) => ip.fmt(f),
            (IpAddr::V6(ip), None) => write!(f, "[{ip}]"),
        }
    }
}

impl Serialize for ServerAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ServerAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_or_means_all_ports() {
        for (text, shown) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1:3306", "10.0.0.1:3306"),
            ("2001:db8::1", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:3306", "[2001:db8::1]:3306"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(text.parse::<ServerAddress>().unwrap().to_string(), shown);
        }
        for bad in ["", "db1", "10.0.0.1:", "10.0.0.1:65536", "10.0.0", "[10.0.0.1]", "[::1"] {
            assert!(bad.parse::<ServerAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_is_found_by_its_address() {
        let includes = |text: &str, address: &str| {
            text.parse::<ServerAddress>().unwrap().includes(address.parse().unwrap())
        };
        assert!(includes("10.0.0.1", "10.0.0.1:3307") && includes("10.0.0.1", "[::ffff:10.0.0.1]:3307"));
        assert!(includes("10.0.0.1:3306", "10.0.0.1:3306") && !includes("10.0.0.1:3306", "10.0.0.1:3307"));
        assert!(!includes("10.0.0.1", "10.0.0.2:3306"));
    }
}
