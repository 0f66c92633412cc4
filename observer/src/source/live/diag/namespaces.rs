//! The network namespaces of the host: finding them and entering them. Socket diagnostics show only the namespace
//! of the thread that asks.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

use crate::privilege::{Capabilities, Capability};

/// Namespaces looked at, at most.
const MAX_NAMESPACES: usize = 4096;

/// Where `ip netns` and Docker keep the namespaces they have given names.
const NAMED: [&str; 2] = ["/run/netns", "/var/run/docker/netns"];

/// Which namespace: the file system of namespaces gives each an inode of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NamespaceId {
    device: u64,
    inode: u64,
}

impl From<&Metadata> for NamespaceId {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A namespace other than the observer's own.
#[derive(Clone, Debug)]
pub(super) struct Namespace {
    /// Which.
    pub(super) id: NamespaceId,
    /// A file by which it can be entered, as long as the process or the name exists. The file is opened only to
    /// enter: an open file would keep the namespace alive.
    pub(super) path: PathBuf,
}

/// What was found on the host.
#[derive(Debug)]
pub(super) struct Discovery {
    /// Every other namespace that can be entered, named ones first.
    pub(super) namespaces: Vec<Namespace>,
    /// Why there may be more of them.
    pub(super) incomplete: Option<String>,
}

/// The observer's own network namespace, to which a thread comes back.
pub(super) struct Home {
    file: File,
    /// Which it is.
    pub(super) id: NamespaceId,
}

impl Home {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// When `/proc` is not mounted or hidden.
    pub(super) fn of_this_thread() -> io::Result<Self> {
        let file = File::open("/proc/thread-self/ns/net")?;
        let id = NamespaceId::from(&file.metadata()?);
        Ok(Self { file, id })
    }

    fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.file, CloneFlags::CLONE_NEWNET)?)
    }

    /// Runs `work` with the thread in another namespace. `Ok(None)` when that namespace is gone.
    ///
    /// # Errors
    ///
    /// [`Visit::Refused`] when it may not be entered, [`Visit::Stranded`] when the thread could not come back:
    /// it is of no use any more.
    pub(super) fn visit<T>(
        &self,
        namespace: &Namespace,
        work: impl FnOnce() -> T,
    ) -> Result<Option<T>, Visit> {
        let file = match File::open(&namespace.path) {
            Ok(file) => file,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(Visit::Refused(error)),
        };
        // The process may be another by now, with the same number.
        if !file.metadata().is_ok_and(|metadata| NamespaceId::from(&metadata) == namespace.id) {
            return Ok(None);
        }
        setns(&file, CloneFlags::CLONE_NEWNET).map_err(|error| Visit::Refused(error.into()))?;
        let done = work();
        self.enter().map_err(Visit::Stranded)?;
        Ok(Some(done))
    }

    /// Looks for the namespaces that have a process, or a name. A thread that has left its process's namespace
    /// is not followed.
    pub(super) fn discover(&self) -> Discovery {
        // Moving to where the thread is already changes nothing, but takes the same permission as moving away.
        if let Err(error) = self.enter() {
            let incomplete = Some(format!("to enter them needs {}: {error}", Capability::SysAdmin));
            return Discovery { namespaces: Vec::new(), incomplete };
        }
        let mut search = Search { home: self.id, seen: HashSet::new(), found: Vec::new(), hidden: 0 };
        let named = NAMED.into_iter().flat_map(|directory| entries(Path::new(directory)));
        let is_pid = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
        };
        let of_processes = entries(Path::new("/proc")).filter(is_pid).map(|process| process.join("ns/net"));
        let too_many = named.chain(of_processes).any(|path| search.take(path).is_break());

        let incomplete = if too_many {
            Some(format!("there are more than {MAX_NAMESPACES}"))
        } else if search.hidden > 0 && !may_see_all() {
            Some(format!(
                "to see those of {} of the processes needs {}",
                search.hidden,
                Capability::SysPtrace
            ))
        } else {
            None
        };
        Discovery { namespaces: search.found, incomplete }
    }
}

/// A search for namespaces under way.
struct Search {
    home: NamespaceId,
    seen: HashSet<NamespaceId>,
    found: Vec<Namespace>,
    /// Processes whose namespace may not be seen.
    hidden: usize,
}

impl Search {
    /// Looks at a file that may be a namespace. Breaks when there are too many.
    fn take(&mut self, path: PathBuf) -> ControlFlow<()> {
        let id = match fs::metadata(&path) {
            Ok(metadata) => NamespaceId::from(&metadata),
            Err(error) => {
                self.hidden += usize::from(error.kind() == io::ErrorKind::PermissionDenied);
                return ControlFlow::Continue(());
            }
        };
        // A file left over from a name that is no longer mounted lies on another device.
        if id == self.home || id.device != self.home.device || !self.seen.insert(id) {
            return ControlFlow::Continue(());
        }
        if self.found.len() == MAX_NAMESPACES {
            return ControlFlow::Break(());
        }
        self.found.push(Namespace { id, path });
        ControlFlow::Continue(())
    }
}

/// Whether processes that hide their namespaces belong to a machine around this one, which has no say here.
fn may_see_all() -> bool {
    Capabilities::effective().is_ok_and(|set| set.has(Capability::SysPtrace))
}

/// Why a namespace was not visited.
#[derive(Debug)]
pub(super) enum Visit {
    /// It could not be entered.
    Refused(io::Error),
    /// It was entered, and the thread could not get out again.
    Stranded(io::Error),
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ESRCH as i32)
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}
