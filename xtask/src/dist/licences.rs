//! The licences of what is linked into the program: they want to be where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::target::Target;
use crate::places::cargo;

/// How the files begin that libraries have their terms in.
const FILES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// What is in a static program besides.
const LANGUAGES: &str = "\
The Rust standard library: MIT OR Apache-2.0 (https://github.com/rust-lang/rust)
The GNU C Library: LGPL-2.1-or-later (https://sourceware.org/glibc/). The sources of observer, to link it with another
version of that, are those of its release.
";

/// What every library says, each text once.
pub(super) fn collect(target: &Target) -> anyhow::Result<String> {
    let output = cargo()
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target.triple])
        .output()
        .context("starting cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("reading what cargo metadata says")?;
    let linked = linked(&metadata).context("what cargo metadata says has another form")?;

    let mut list = String::from("What is linked into observer, and the terms of each.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let (Some(id), Some(manifest)) = (package["id"].as_str(), package["manifest_path"].as_str()) else {
            continue;
        };
        // Those without a source are observer's own.
        if !linked.contains(id) || package["source"].is_null() {
            continue;
        }
        let text = |field: &str| package[field].as_str().unwrap_or("unknown").to_owned();
        let name = format!("{} {}", text("name"), text("version"));
        writeln!(list, "{name}: {} ({})", text("license"), text("repository"))?;
        for text in terms(Path::new(manifest).parent().unwrap_or(Path::new("/")))? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    list.push_str(LANGUAGES);
    for (text, names) in texts {
        write!(list, "\n{}\n{}\n\n{}\n", "-".repeat(72), names.join(", "), text.trim_end())?;
    }
    Ok(list)
}

/// The packages that become part of the program: not those that only build it, or are of its tests.
fn linked(metadata: &Value) -> Option<BTreeSet<&str>> {
    let packages = metadata["packages"].as_array()?;
    let is = |package: &Value, kind: &str| {
        package["targets"].as_array().into_iter().flatten().any(|target| target["kind"][0] == kind)
    };
    let macros: BTreeSet<_> = packages
        .iter()
        .filter(|package| is(package, "proc-macro"))
        .filter_map(|package| package["id"].as_str())
        .collect();
    let observer =
        packages.iter().find(|package| package["name"] == "observer" && package["source"].is_null())?;
    let nodes: BTreeMap<_, _> =
        metadata["resolve"]["nodes"].as_array()?.iter().map(|node| (node["id"].as_str(), node)).collect();
    let mut linked = BTreeSet::new();
    let mut next = vec![observer["id"].as_str()?];
    while let Some(id) = next.pop() {
        if macros.contains(id) || !linked.insert(id) {
            continue;
        }
        for dependency in nodes.get(&Some(id))?["deps"].as_array()? {
            // A kind of its own is null for what is neither for tests nor for the build.
            if dependency["dep_kinds"].as_array()?.iter().any(|kind| kind["kind"].is_null()) {
                next.push(dependency["pkg"].as_str()?);
            }
        }
    }
    Some(linked)
}

/// What a library's files say, in the order of their names.
fn terms(directory: &Path) -> anyhow::Result<Vec<String>> {
    let reading = || format!("reading {}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && FILES.iter().any(|file| name.starts_with(file)) {
            files.push(path);
        }
    }
    files.sort();
    files
        .iter()
        .map(|path| {
            let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_what_is_linked_and_not_what_builds_or_tests() {
        let text = collect(Target::find(None).unwrap()).unwrap();
        let names = |name: &str| text.lines().any(|line| line.starts_with(name));
        assert!(names("aya 0.") && names("tokio 1."));
        // A macro, and two of the tests.
        assert!(!names("serde_derive ") && !names("insta ") && !names("proptest "));
        assert!(text.contains("Permission is hereby granted"));
    }
}
