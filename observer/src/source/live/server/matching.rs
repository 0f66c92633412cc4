//! Which row of a server's process list is which connection.
//!
//! The thread id of the greeting says it, together with the client's port, and with the server's address where several
//! are asked: numbers of sessions begin with 1 at each of them. Where the greeting was not seen, the row's address and port
//! have to do; where the server knows its clients by name, the port alone, if there is only one with it.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::questions::Listed;
use super::roll::Named;

/// By which address connections go to a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    /// Where it is asked; `None` for a Unix socket.
    pub(super) address: Option<SocketAddr>,
    /// The port it listens on, as it says.
    pub(super) port: Option<u16>,
    /// Whether no other server is asked.
    pub(super) is_only: bool,
}

impl Identity {
    /// Whether a connection goes to this server, as far as its address tells.
    fn includes(self, named: &Named) -> bool {
        let server = named.socket.flow.server;
        match self.address.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port())) {
            Some(address) if !address.ip().is_loopback() => server == address,
            // Within this host a server has many addresses.
            _ => named.is_server_here && Some(server.port()) == self.port,
        }
    }
}

/// The rows of a process list, to be looked for.
pub(super) struct List<'a> {
    identity: Identity,
    by_id: HashMap<u64, &'a Listed>,
    by_port: HashMap<u16, Vec<&'a Listed>>,
}

impl<'a> List<'a> {
    pub(super) fn new(identity: Identity, rows: &'a [Listed]) -> Self {
        let mut by_port: HashMap<u16, Vec<&Listed>> = HashMap::new();
        for row in rows {
            if let Some(port) = row.client.1 {
                by_port.entry(port).or_default().push(row);
            }
        }
        Self { identity, by_id: rows.iter().map(|row| (row.id, row)).collect(), by_port }
    }

    /// The row of a connection.
    pub(super) fn find(&self, named: &Named) -> Option<&'a Listed> {
        let client = named.socket.flow.client;
        let Some(thread_id) = named.thread_id else { return self.by_address(named) };
        let row = *self.by_id.get(&u64::from(thread_id))?;
        match row.client.1 {
            // The server's address may be another one on the way.
            Some(port) => port == client.port() && (self.identity.is_only || self.identity.includes(named)),
            None => self.identity.includes(named),
        }
        .then_some(row)
    }

    fn by_address(&self, named: &Named) -> Option<&'a Listed> {
        let client = named.socket.flow.client;
        let rows = self.by_port.get(&client.port()).filter(|_| self.identity.includes(named))?;
        let same = rows.iter().find(|row| row.client.0 == Some(client.ip()));
        let only = || match rows.as_slice() {
            [row] if row.client.0.is_none() => Some(row),
            _ => None,
        };
        same.or_else(only).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use observer_core::{Flow, SocketRef, Vantage};

    use super::*;

    fn row(id: u64, host: Option<&str>, port: Option<u16>) -> Listed {
        Listed {
            id,
            user: "etl".to_owned(),
            client: (host.map(|host| host.parse().unwrap()), port),
            command: "Query".to_owned(),
            time: Duration::ZERO,
            state: None,
        }
    }

    fn named(client: &str, server: &str, thread_id: Option<u32>) -> Named {
        let flow = Flow { client: client.parse().unwrap(), server: server.parse().unwrap() };
        Named {
            socket: SocketRef { flow, seen_at: Vantage::Client, cookie: Some(1) },
            thread_id,
            is_server_here: true,
            is_troubled: false,
            due: None,
        }
    }

    fn identity(address: Option<&str>) -> Identity {
        let address = address.map(|address| address.parse().unwrap());
        Identity { address, port: Some(3306), is_only: true }
    }

    fn found(address: Option<&str>, rows: &[Listed], named: &Named) -> Option<u64> {
        List::new(identity(address), rows).find(named).map(|row| row.id)
    }

    #[test]
    fn a_thread_id_needs_the_same_port() {
        let rows = [row(7, None, Some(4)), row(8, Some("10.0.0.9"), Some(5)), row(9, None, None)];
        let at = Some("10.0.0.1:3306");
        // Addresses may be translated on the way; at one server ports and ids together are no coincidence.
        assert_eq!(found(at, &rows, &named("10.0.0.2:4", "10.9.9.9:3306", Some(7))), Some(7));
        assert_eq!(found(at, &rows, &named("10.0.0.2:4", "10.0.0.1:3306", Some(8))), None);
        assert_eq!(found(at, &rows, &named("10.0.0.2:4", "10.0.0.1:3306", Some(9))), Some(9));
        assert_eq!(found(at, &rows, &named("10.0.0.2:4", "10.9.9.9:3306", Some(9))), None);
        assert_eq!(found(at, &rows, &named("10.0.0.2:4", "10.0.0.1:3306", Some(10))), None);
    }

    #[test]
    fn with_several_servers_a_thread_id_needs_the_address_too() {
        let rows = [row(7, None, Some(4))];
        let several = Identity { is_only: false, ..identity(Some("10.0.0.1:3306")) };
        let found = |server| List::new(several, &rows).find(&named("10.0.0.2:4", server, Some(7))).is_some();
        assert!(found("10.0.0.1:3306") && !found("10.9.9.9:3306"));
    }

    #[test]
    fn without_a_greeting_the_addresses_have_to_do() {
        let rows =
            [row(7, Some("10.0.0.2"), Some(4)), row(8, Some("10.0.0.3"), Some(4)), row(9, None, Some(5))];
        let at = Some("10.0.0.1:3306");
        assert_eq!(found(at, &rows, &named("10.0.0.3:4", "10.0.0.1:3306", None)), Some(8));
        assert_eq!(found(at, &rows, &named("10.0.0.4:4", "10.0.0.1:3306", None)), None);
        assert_eq!(found(at, &rows, &named("10.0.0.4:5", "10.0.0.1:3306", None)), Some(9));
        // Another server.
        assert_eq!(found(at, &rows, &named("10.0.0.3:4", "10.0.0.7:3306", None)), None);
    }

    #[test]
    fn a_server_of_this_host_has_many_addresses() {
        let rows = [row(7, Some("10.0.0.2"), Some(4))];
        for at in [None, Some("127.0.0.1:13306")] {
            assert_eq!(found(at, &rows, &named("10.0.0.2:4", "172.17.0.2:3306", None)), Some(7));
            assert_eq!(found(at, &rows, &named("10.0.0.2:4", "172.17.0.2:3307", None)), None);
            let elsewhere = Named { is_server_here: false, ..named("10.0.0.2:4", "10.0.0.1:3306", None) };
            assert_eq!(found(at, &rows, &elsewhere), None);
        }
    }

    #[test]
    fn two_with_the_same_port_and_names_are_not_told_apart() {
        let rows = [row(7, None, Some(4)), row(8, None, Some(4))];
        assert_eq!(found(Some("10.0.0.1:3306"), &rows, &named("10.0.0.2:4", "10.0.0.1:3306", None)), None);
    }
}
