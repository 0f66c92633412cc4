//! `cargo xtask vm`: the story in machines with other kernels, and what observer makes of it there.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;

use crate::files::{make_directory, remove_directory};
use crate::places::{cargo, repository, target_directory};
use crate::setup::{self, kernels};
use crate::step::{self, step};

mod cpio;
mod initramfs;
mod judge;
mod machine;
mod seen;
mod sleep;
mod table;
mod variant;

use seen::Seen;
use table::Row;
use variant::Variant;

#[derive(Args)]
pub(crate) struct VmArgs {
    /// The kernels of Debian's to boot [default: all]
    #[arg(value_name = "KERNEL", value_parser = kernels::ALL.each_ref().map(|kernel| kernel.name))]
    kernels: Vec<String>,
    /// Only the machines with these surroundings: what is missing there [default: all]
    #[arg(long, value_name = "WHAT", value_parser = Variant::ALL.map(Variant::without), conflicts_with = "table")]
    without: Option<String>,
    /// Keep the table in docs/KERNELS.md
    #[arg(long, conflicts_with = "kernels")]
    table: bool,
}

/// Does the set-up, boots each kernel once for each thing there may be to do without, and judges.
pub(crate) fn run(args: &VmArgs) -> anyhow::Result<()> {
    step("set-up", setup::run)?;
    let asked_for = |kernel: &&kernels::Kernel| {
        args.kernels.is_empty() || args.kernels.iter().any(|name| name == kernel.name)
    };
    let observer = build(None)?;
    let has_it = |variant: &Variant| args.without.as_deref().is_none_or(|what| what == variant.without());
    let rows = play(kernels::ALL.iter().filter(asked_for), has_it, &observer)?;
    eprintln!("\n{}", table::text(&rows));
    if args.table {
        table::keep(&rows)?;
    }
    ensure_all_hold(&rows)
}

/// The kernel of the story's own host, with these kernel programs, for the tests.
pub(crate) fn test(kernel_programs: &Path) -> anyhow::Result<()> {
    let observer = build(Some(kernel_programs))?;
    let rows = play(kernels::ALL.iter().filter(|kernel| kernel.is_of_the_story()), |_| true, &observer)?;
    eprintln!("{}", table::text(&rows));
    ensure_all_hold(&rows)
}

fn ensure_all_hold(rows: &[Row]) -> anyhow::Result<()> {
    let missed = rows.iter().filter(|row| !row.misses.is_empty()).count();
    ensure!(missed == 0, "{missed} of {} machines do not hold", rows.len());
    Ok(())
}

/// What one machine is.
struct Case {
    kernel: &'static str,
    installed: kernels::Installed,
    variant: Variant,
    place: PathBuf,
}

/// Plays every case, as many at once as there are CPUs: each thread has every so many-th of them.
fn play(
    kernels: impl Iterator<Item = &'static kernels::Kernel>,
    surroundings: impl Fn(&Variant) -> bool,
    observer: &Path,
) -> anyhow::Result<Vec<Row>> {
    let mut cases = Vec::new();
    for kernel in kernels {
        for variant in Variant::ALL.into_iter().filter(&surroundings) {
            let place = repository().join("target/vm").join(format!("{}-{}", kernel.name, variant.without()));
            cases.push(Case { kernel: kernel.name, installed: kernel.install()?, variant, place });
        }
    }
    let at_once = thread::available_parallelism().context("counting the CPUs")?.get();
    step(&format!("{} machines, {at_once} at once", cases.len()), || {
        let turn = |first| {
            let mine = cases.iter().enumerate().skip(first).step_by(at_once);
            mine.map(|(number, case)| Ok((number, case.play(observer)?))).collect::<anyhow::Result<Vec<_>>>()
        };
        let mut rows = Vec::new();
        thread::scope(|scope| {
            let turns: Vec<_> = (0..at_once).map(|first| scope.spawn(move || turn(first))).collect();
            turns.into_iter().try_for_each(|turn| {
                rows.extend(turn.join().map_err(|_| anyhow!("a machine's thread panicked"))??);
                Ok::<_, anyhow::Error>(())
            })
        })?;
        rows.sort_by_key(|(number, _)| *number);
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    })
}

/// The observer that users have: its memory is a promise.
fn build(kernel_programs: Option<&Path>) -> anyhow::Result<PathBuf> {
    step("build observer for release", || {
        let mut build = cargo();
        build.args(["build", "--release", "--package", "observer"]);
        if let Some(object) = kernel_programs {
            build.env("OBSERVER_EBPF_OBJECT", object);
        }
        step::run(&mut build)?;
        Ok(target_directory().join("release/observer"))
    })
}

impl Case {
    fn play(&self, observer: &Path) -> anyhow::Result<Row> {
        let Self { kernel, installed, variant, place } = self;
        let playing = || format!("the machine with {kernel}, {} ({})", variant.name(), place.display());
        remove_directory(place)?;
        make_directory(place)?;
        let initramfs = place.join("initramfs");
        initramfs::write(installed, observer, &initramfs).with_context(playing)?;
        machine::play(installed, &initramfs, *variant, place).with_context(playing)?;
        fs::remove_file(&initramfs).with_context(playing)?;
        let seen = Seen::read(place, observer).with_context(playing)?;
        let row = Row::new(*variant, &seen);
        let outcome = if row.misses.is_empty() { "holds" } else { "does not hold" };
        eprintln!("    {kernel}, {}: {outcome}", variant.name());
        Ok(row)
    }
}
