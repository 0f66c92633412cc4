//! The process that holds a session at a server: what comes from there is read in here, by sqlx, and nowhere else.
//!
//! Its standard input is the connection to the server, its standard output the [`Link`] to the program that has started it.
//! A server that sends what the library does not bear ends this process, and not the observing. So it may do nothing but
//! talk to these two, and have so much memory.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener, UnixStream as StdStream};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::alarm;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::bounds::{SENTENCE, cut};
use super::link::{Answer, Incoming, Link, Order, Outgoing};
use super::tls::Tls;
use super::trouble::Trouble;
use crate::privilege::{self, Uses};

/// The command that this program starts itself with.
pub const COMMAND: &str = "server-session";

/// What the process may have, in bytes of address space: the program itself, and several times the longest packet.
const MEMORY: u64 = 128 << 20;

/// How soon the process goes where there is no memory left: before every other one (`oom_score_adj` in proc(5)).
const OOM_SCORE_ADJ: &str = "1000";

/// How long taking leave may last.
const LEAVE: Duration = Duration::from_secs(1);

/// How long anything may last, in seconds, whatever it is that the library does: longer than who asks would wait.
const PATIENCE: u32 = 8;

/// Holds a session until the one who has started this process wants no more of it.
///
/// # Errors
///
/// When this is not such a process, or it cannot be confined.
pub fn serve() -> anyhow::Result<()> {
    let (server, starter) = (stream(&io::stdin())?, stream(&io::stdout())?);
    // It ends when its starter does, and takes leave first. They wait for good: there is no other thread.
    let ends = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];
    ends.into_iter().collect::<SigSet>().thread_block().context("holding back signals")?;
    // Where /proc is not what it is on a host, it goes when its turn comes.
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJ);
    setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).context("limiting the memory")?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("forbidding a core dump")?;
    privilege::confine(&Uses::default())?;
    // The password comes after this, and goes into no dump, not even by way of a program (core(5)). Becoming another user
    // would undo it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("forbidding a core dump")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let link = Link::over(UnixStream::from_std(starter)?);
        hold(link, UnixStream::from_std(server)?).await.context("talking to the program that asks")
    })
}

/// What the program was started with. To the standard library a stream of TCP is of the same kind here.
fn stream(file: &impl AsFd) -> anyhow::Result<StdStream> {
    let stream = StdStream::from(file.as_fd().try_clone_to_owned()?);
    stream.set_nonblocking(true).context("this is started by observer itself, and with two sockets")?;
    Ok(stream)
}

/// Logs in, and answers until there are no more questions.
async fn hold(link: Link, server: UnixStream) -> io::Result<()> {
    let Link { mut incoming, mut outgoing } = link;
    let Some((order, _)) = incoming.next::<Order>().await? else { return Ok(()) };
    // Its signal ends the process (alarm(2)), which nobody else may end: who has started it may be another user.
    alarm::set(PATIENCE);
    let name = name();
    let passing = pass_on(server, &name)?;
    let Some(opened) = while_wanted(&mut incoming, open(&order, &name)).await else { return Ok(()) };
    let mut session = match opened {
        Ok(session) => session,
        Err(error) => return outgoing.say(&Answer::Failed(trouble(&order.tls, error))).await,
    };
    outgoing.say(&Answer::Done).await?;
    alarm::cancel();
    while let Some((statement, _)) = incoming.next::<String>().await? {
        alarm::set(PATIENCE);
        let answering = answer(&mut session, statement, &mut outgoing);
        let Some(answered) = while_wanted(&mut incoming, answering).await else { break };
        outgoing
            .say(&answered.map_or_else(|error| Answer::Failed(trouble(&order.tls, error)), |()| Answer::Done))
            .await?;
        alarm::cancel();
    }
    alarm::set(PATIENCE);
    // The server would count a client that aborts otherwise (`Aborted_clients`), and log it.
    let leaving = async { (session.close().await, passing.await) };
    let _ = timeout(LEAVE, leaving).await;
    Ok(())
}

/// What `doing` gives; `None` when the other end goes, which says nothing while it waits.
async fn while_wanted<T>(incoming: &mut Incoming, doing: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = doing => Some(done),
        _ = incoming.next::<String>() => None,
    }
}

/// The library connects by itself. So it does, to this process, which passes on what it says and hears.
fn pass_on(mut server: UnixStream, name: &str) -> io::Result<JoinHandle<io::Result<()>>> {
    let listener = StdListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    Ok(tokio::spawn(async move {
        let mut library = loop {
            let (peer, _) = listener.accept().await?;
            // Whoever else is on this host could connect, too.
            if peer.peer_cred()?.pid() == i32::try_from(std::process::id()).ok() {
                break peer;
            }
        };
        drop(listener);
        copy_bidirectional(&mut library, &mut server).await.map(drop)
    }))
}

/// A name for this process' own socket, in the abstract namespace (unix(7)), that nobody can take before.
fn name() -> String {
    // The keys of a new state are chosen by chance.
    format!("observer-session-{:016x}", RandomState::new().hash_one(()))
}

/// Logs in.
async fn open(order: &Order, name: &str) -> Result<MySqlConnection, sqlx::Error> {
    let options = MySqlConnectOptions::new()
        .socket(format!("\0{name}"))
        .host(&order.tls.host)
        .username(&order.user)
        .ssl_mode(order.tls.mode.into())
        .ssl_ca_from_pem(order.tls.certificates.clone().into_bytes())
        .disable_statement_logging()
        // The session is as the server begins it.
        .set_names(false)
        .timezone(None)
        .pipes_as_concat(false)
        .no_engine_substitution(false);
    match &order.password {
        Some(password) => options.password(password),
        None => options,
    }
    .connect()
    .await
}

/// Passes the rows of an answer on.
async fn answer(
    session: &mut MySqlConnection,
    statement: String,
    outgoing: &mut Outgoing,
) -> Result<(), sqlx::Error> {
    // The statements are observer's own, and hold nothing but numbers of sessions.
    let mut rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch(session);
    while let Some(row) = rows.try_next().await? {
        // Of such an answer all values are text, whatever their columns are.
        let cells = (0..row.len()).map(|index| row.try_get_unchecked::<Option<Vec<u8>>, _>(index));
        let text = |cell: Option<Vec<u8>>| cell.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let row = cells.map(|cell| cell.map(text)).collect::<Result<Vec<_>, _>>()?;
        outgoing.say(&Answer::Row(row)).await?;
    }
    Ok(())
}

/// The words for an error of the library.
fn trouble(tls: &Tls, error: sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast::<MySqlDatabaseError>() {
            Ok(error) => {
                Trouble::Refused { code: error.number(), message: cut(error.message().to_owned(), SENTENCE) }
            }
            Err(error) => Trouble::Told(error.to_string()),
        },
        sqlx::Error::Io(error) => match error.get_ref().and_then(|cause| cause.downcast_ref()) {
            Some(cause) => Trouble::Told(tls.trouble(cause)),
            None => error.into(),
        },
        // Without TLS it would have to be encrypted with a key that anybody on the way could have sent.
        sqlx::Error::Configuration(_) => Trouble::Told(ASKS_FOR_ALL.to_owned()),
        other => Trouble::Told(cut(other.to_string(), SENTENCE)),
    }
}

const ASKS_FOR_ALL: &str = "it asks for the password itself, as nobody has logged in to this account since it started, which \
                            is told it within TLS only: have it offer TLS, or log in once with the mysql client";
