//! The real servers, each on a data directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context as _;
use observer::demo::Dialect;
use observer_core::Timestamp;
use tempfile::TempDir;

use super::Setup;
use super::lab::Side;
use super::names::temporary_directory;
use super::process::{Process, run};

/// A user without a password, who may come from anywhere; one who may ask, as docs/SERVERS.md says, one who may not, and
/// one with another password: whom it does not know MySQL asks for a password in a way of its own choice.
/// A statement a line: the servers read it so.
const INIT_FILE: &str = "\
CREATE USER reader@'%';
GRANT ALL ON *.* TO reader@'%';
CREATE USER asker@'%' IDENTIFIED BY 'sesame';
GRANT PROCESS ON *.* TO asker@'%';
GRANT SELECT ON performance_schema.* TO asker@'%';
CREATE USER poor@'%' IDENTIFIED BY 'sesame';
CREATE USER stranger@'%' IDENTIFIED BY 'open';
CREATE DATABASE story;
";

/// What the tests do not need and would wait for.
const SMALL: [&str; 3] =
    ["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF"];

/// The table of the story, made on the fly: 400,000 rows of about 120 bytes.
pub(crate) fn story_query(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::MySql => {
            "WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 400000) \
             SELECT /*+ SET_VAR(cte_max_recursion_depth = 400000) */ id, REPEAT('x', 110) FROM ids"
        }
        Dialect::MariaDb => "SELECT seq, REPEAT('x', 110) FROM seq_1_to_400000",
    }
}

/// Initialised data directories, made once a run and copied.
pub(crate) struct Templates {
    directory: TempDir,
    made: [Mutex<bool>; 2],
}

impl Templates {
    /// Nothing yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let directory = temporary_directory()?;
        Ok(Self { directory, made: Default::default() })
    }

    fn template(&self, dialect: Dialect) -> PathBuf {
        self.directory.path().join(format!("{dialect:?}"))
    }

    /// Makes the template unless it is there.
    fn make(&self, setup: &Setup, dialect: Dialect) -> anyhow::Result<()> {
        let mut made =
            self.made[dialect as usize].lock().map_err(|_| anyhow::anyhow!("see the first case"))?;
        if !*made {
            let template = self.template(dialect);
            fs::create_dir_all(&template).context("making a directory")?;
            fs::write(template.join("init.sql"), INIT_FILE).context("writing init.sql")?;
            initialise(setup, dialect, &template)?;
            *made = true;
        }
        Ok(())
    }

    /// What makes MariaDB speak TLS: MySQL does, with a certificate that it makes with its data directory, and lends
    /// that.
    fn tls_options(&self, setup: &Setup) -> anyhow::Result<[String; 2]> {
        self.make(setup, Dialect::MySql)?;
        let data = self.template(Dialect::MySql).join("data");
        let option = |name, file| format!("--ssl-{name}={}", data.join(file).display());
        Ok([option("cert", "server-cert.pem"), option("key", "server-key.pem")])
    }

    /// Who has signed the certificate that MySQL makes.
    pub(crate) fn authority(&self, setup: &Setup) -> anyhow::Result<PathBuf> {
        self.make(setup, Dialect::MySql)?;
        Ok(self.template(Dialect::MySql).join("data/ca.pem"))
    }

    /// Copies the template to `place/data`.
    fn copy(&self, setup: &Setup, dialect: Dialect, place: &Path) -> anyhow::Result<()> {
        let template = self.template(dialect);
        self.make(setup, dialect)?;
        run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(template.join(".")).arg(place))
    }
}

fn initialise(setup: &Setup, dialect: Dialect, place: &Path) -> anyhow::Result<()> {
    match dialect {
        Dialect::MySql => run(mysqld(Command::new("unshare"), setup, place)
            .args(["--initialize-insecure", "--init-file=/mnt/init.sql"])),
        Dialect::MariaDb => run(Command::new("mariadb-install-db")
            // Forced: it looks up the host's name otherwise, which need not be known.
            .args(["--no-defaults", "--user=root", "--skip-test-db", "--force"])
            .arg("--auth-root-authentication-method=normal")
            .arg(format!("--datadir={}", place.join("data").display()))),
    }
    .with_context(|| format!("initialising the data directory of {dialect:?}"))
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    dialect: Dialect,
    /// The server itself.
    pub(crate) process: Process,
    place: TempDir,
}

impl Server {
    /// Starts one on `side` and waits until it takes connections.
    pub(crate) fn start(
        setup: &Setup,
        dialect: Dialect,
        side: &Side,
        port: u16,
        net_write_timeout: Duration,
    ) -> anyhow::Result<Self> {
        Self::start_with(setup, dialect, side, port, net_write_timeout, &[])
    }

    /// The same with more options.
    pub(crate) fn start_with(
        setup: &Setup,
        dialect: Dialect,
        side: &Side,
        port: u16,
        net_write_timeout: Duration,
        options: &[&str],
    ) -> anyhow::Result<Self> {
        let place = temporary_directory()?;
        setup.templates.copy(setup, dialect, place.path())?;
        let mut command = match dialect {
            Dialect::MySql => {
                let mut command = mysqld(side.command("unshare"), setup, place.path());
                // Level 3 logs aborted connections; the stamps are UTC with microseconds.
                command.args(["--log-error-verbosity=3", "--mysqlx=OFF"]);
                command.args(["--socket=/mnt/socket", "--pid-file=/mnt/pid"]);
                command
            }
            Dialect::MariaDb => {
                let file = |name| place.path().join(name).display().to_string();
                let mut command = side.command("mariadbd");
                command.args(["--no-defaults", "--user=root", "--log-warnings=2"]);
                command.args(setup.templates.tls_options(setup)?);
                command.arg(format!("--datadir={}", file("data")));
                command.arg(format!("--init-file={}", file("init.sql")));
                command.arg(format!("--socket={}", file("socket")));
                command.arg(format!("--pid-file={}", file("pid")));
                command
            }
        };
        command.args(SMALL).args(["--skip-log-bin", "--max-connections=500"]);
        command.arg(format!("--port={port}"));
        command.arg(format!("--net-write-timeout={}", net_write_timeout.as_secs()));
        command.args(options);
        let process = Process::spawn(&format!("{dialect:?}"), &mut command)?;
        process.wait_stderr("readiness", |line| {
            // The X plugin and the admin interface have lines of their own.
            (line.contains("ready for connections") && !line.contains("X Plugin")).then_some(())
        })?;
        Ok(Self { dialect, process, place })
    }

    /// Waits until the server logs that it has aborted the connection `thread_id` because its client did not
    /// read. Gives the stamp of the line; MariaDB's has whole seconds of local time and is not given.
    pub(crate) fn wait_abort(&self, thread_id: u32) -> anyhow::Result<Option<Timestamp>> {
        let aborted = format!("Aborted connection {thread_id} ");
        let reason = match self.dialect {
            Dialect::MySql => "Got timeout writing communication packets",
            Dialect::MariaDb => "Got an error writing communication packets",
        };
        let line = self.process.wait_stderr("the abort", |line| {
            (line.contains(&aborted) && line.contains(reason)).then(|| line.to_owned())
        })?;
        match self.dialect {
            Dialect::MySql => Ok(Some(stamp(&line)?)),
            Dialect::MariaDb => Ok(None),
        }
    }

    /// What the file in its data directory holds so far.
    pub(crate) fn file(&self, name: &str) -> anyhow::Result<String> {
        let path = self.place.path().join("data").join(name);
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether the server has logged that it could not write to any client.
    pub(crate) fn has_given_up(&self) -> bool {
        // Another reason is a client that goes without COM_QUIT, as aiomysql's does.
        self.process.stderr.all().iter().any(|line| line.contains("writing communication packets"))
    }
}

/// The stamp that begins a line of MySQL's error log.
pub(crate) fn stamp(line: &str) -> anyhow::Result<Timestamp> {
    let (stamp, _) = line.split_once(' ').unwrap_or((line, ""));
    serde_json::from_value(stamp.into()).with_context(|| format!("reading the stamp of {line:?}"))
}

/// `mysqld` in its own Debian system, with `place` as its /mnt. The mounts are in a namespace of its own and
/// go with it; the system itself is not changed. `command` is `unshare`, wherever it is to run.
fn mysqld(mut command: Command, setup: &Setup, place: &Path) -> Command {
    const MOUNT_AND_RUN: &str = r#"
        mount --bind "$1" "$0/mnt"
        mount -t proc proc "$0/proc"
        mount --rbind /dev "$0/dev"
        shift
        exec chroot "$0" mysqld "$@""#;
    command
        .args(["--mount", "--propagation=private", "sh", "-ec", MOUNT_AND_RUN])
        .args([setup.mysql_root(), PathBuf::from(place)])
        .args(["--no-defaults", "--user=root", "--datadir=/mnt/data", "--secure-file-priv="]);
    command
}
