//! Options about servers that are asked.

use std::path::PathBuf;

use clap::Args;

use super::GivenServer;
use crate::source::live::server::Server;

/// Which servers are asked.
#[derive(Args, Clone, Debug, Default)]
pub struct AskedArgs {
    /// Ask this server too: mysql://USER@HOST:PORT, or mysql://USER@localhost?socket=PATH; may be given for several
    ///
    /// It tells each session's own net_write_timeout, its user, state and statement, and whether it has given a connection
    /// up. The session only reads, and has to have the privileges PROCESS and SELECT on performance_schema. The
    /// password comes from --mysql-defaults-file. TLS is used where the server has it; ?ssl-mode=MODE&ssl-ca=FILE as for
    /// MySQL's own client.
    #[arg(long = "mysql", value_name = "URL")]
    pub urls: Vec<GivenServer>,

    /// Read user and password for it, or all of a server, from this option file (mode 0600, [client] and [observer])
    ///
    /// Without --mysql the file names the server too, and may be given for several.
    #[arg(long = "mysql-defaults-file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

impl AskedArgs {
    /// The servers that are asked.
    ///
    /// # Errors
    ///
    /// When what was given does not suffice for a login, or a file cannot be read.
    pub fn servers(&self) -> anyhow::Result<Vec<Server>> {
        let urls = self.urls.iter().filter_map(|url| url.0.clone().ok()).collect::<Vec<_>>();
        Server::all(&urls, &self.files)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let wrong = self.urls.iter().find_map(|url| url.0.as_ref().err());
        wrong.map_or(Ok(()), |why| Err(format!("--mysql: {why}")))
    }
}
