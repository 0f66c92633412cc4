//! The places the programs are attached at: found, or mounted where the host has not mounted them.

use std::path::Path;

use anyhow::Context as _;

use super::load::Step;
use super::private_mounts;
use crate::source::live::cgroup::Cgroup;
use crate::source::live::degradation::Degradation;
use crate::source::live::tracefs::{Tracefs, USUAL_PLACE};

/// Where cgroup v2 is mounted for ourselves.
const CGROUP_PLACE: &str = "/sys/fs/cgroup";

/// What is lost without tracefs.
const WITHOUT_TRACEFS: &str = "which process opens, reads and closes a connection, resets a server sends, and the silent end of an orphan";

/// The places.
pub(super) struct Surroundings {
    pub(super) cgroup: Cgroup,
    pub(super) tracefs: Option<Tracefs>,
}

impl Surroundings {
    /// Finds them. What is not mounted is mounted for the calling thread only, which must not be used for anything
    /// else afterwards.
    ///
    /// # Errors
    ///
    /// Without cgroup v2.
    pub(super) fn find(cgroup: Option<&Path>, steps: &mut Vec<Step>) -> anyhow::Result<Self> {
        let mut private = Private::default();
        let is_given = cgroup.is_some();
        let (cgroup, how) = match cgroup {
            Some(path) => (Cgroup::at(path)?, "as given"),
            None => Self::cgroup(&mut private)?,
        };
        steps.push(Step {
            part: "cgroup v2".to_owned(),
            outcome: if cgroup.whole_host || is_given {
                Ok(format!("{} ({how})", cgroup.path.display()))
            } else {
                Err(part_only(&cgroup))
            },
        });
        let tracefs = find_tracefs(&mut private);
        steps.push(Step {
            part: "tracefs".to_owned(),
            outcome: match &tracefs {
                Ok((tracefs, how)) => Ok(format!("{} ({how})", tracefs.path().display())),
                Err(error) => Err(Degradation::new("tracefs", error, WITHOUT_TRACEFS)),
            },
        });
        Ok(Self { cgroup, tracefs: tracefs.ok().map(|(tracefs, _)| tracefs) })
    }

    fn cgroup(private: &mut Private) -> anyhow::Result<(Cgroup, &'static str)> {
        if let Some(found) = Cgroup::find()? {
            return Ok((found, "found"));
        }
        private.mount("cgroup2", CGROUP_PLACE).context("cgroup v2 is not mounted")?;
        Ok((Cgroup::mounted(CGROUP_PLACE.into()), "mounted for ourselves"))
    }
}

/// Sees to it that tracefs is there for the calling thread, as [`Surroundings::find`] does.
///
/// # Errors
///
/// When it is not mounted and cannot be.
pub(super) fn tracefs() -> anyhow::Result<()> {
    find_tracefs(&mut Private::default()).map(|_| ())
}

fn find_tracefs(private: &mut Private) -> anyhow::Result<(Tracefs, &'static str)> {
    if let Some(found) = Tracefs::find()? {
        return Ok((found, "found"));
    }
    private.mount("tracefs", USUAL_PLACE).context("tracefs is not mounted")?;
    Ok((Tracefs::usual(), "mounted for ourselves"))
}

fn part_only(cgroup: &Cgroup) -> Degradation {
    Degradation {
        part: "root of cgroup v2".to_owned(),
        because: format!("only a part of it is seen, on {}", cgroup.path.display()),
        without: "connections of processes outside that part; --cgroup names another mount".to_owned(),
    }
}

/// The mounts of this thread.
#[derive(Default)]
struct Private {
    entered: bool,
}

impl Private {
    fn mount(&mut self, fs_type: &str, point: &str) -> anyhow::Result<()> {
        if !self.entered {
            private_mounts::enter()?;
            self.entered = true;
        }
        private_mounts::add(fs_type, point)
    }
}
