//! Set-up, build, demo, test and bench of observer.

use std::io::Write as _;

mod ebpf;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ebpf"] => ebpf::build(false),
        ["ebpf", "--check"] => ebpf::build(true),
        ["ebpf", "--on-the-spot"] => {
            writeln!(std::io::stdout(), "{}", ebpf::build_on_the_spot()?.display()).map_err(Into::into)
        }
        _ => anyhow::bail!("usage: cargo xtask ebpf [--check | --on-the-spot]"),
    }
}
