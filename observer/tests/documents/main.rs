//! The documents say what is so: every command in them runs or is understood, every link leads somewhere.
//!
//! Commands of `cargo xtask` are looked at by xtask's own tests.

#![expect(clippy::unwrap_used, reason = "a document that cannot be read is a failure")]

use std::fs;
use std::path::{Path, PathBuf};

mod commands;
mod links;
#[path = "../support/privilege.rs"]
#[expect(dead_code, reason = "no test runs as another user")]
mod privilege;
#[path = "../support/process.rs"]
#[expect(dead_code, reason = "nothing is said to the processes")]
mod process;
mod shell;

/// A file of Markdown.
struct Document {
    /// From the root of the repository.
    path: PathBuf,
    text: String,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All of the repository's own.
fn documents() -> Vec<Document> {
    let mut found = Vec::new();
    let mut directories = vec![repository().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Document { path: path.strip_prefix(repository()).unwrap().to_owned(), text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

impl Document {
    /// The blocks of code in the language `wanted`.
    fn blocks(&self, wanted: &str) -> Vec<String> {
        let (mut blocks, mut open) = (Vec::new(), None::<(bool, String)>);
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), open.as_mut()) {
                (Some(language), None) => open = Some((language == wanted, String::new())),
                (Some(_), Some(_)) => blocks.extend(open.take().filter(|(is_wanted, _)| *is_wanted)),
                (None, Some((_, block))) => block.extend([line, "\n"]),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block without its end", self.path.display());
        blocks.into_iter().map(|(_, block)| block).collect()
    }

    /// Its lines outside blocks of code.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut in_block = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.trim_start().starts_with("```");
            in_block ^= is_fence;
            !in_block && !is_fence
        })
    }

    /// What stands between backquotes in the prose.
    fn spans(&self) -> impl Iterator<Item = &str> {
        self.prose().flat_map(|line| line.split('`').skip(1).step_by(2))
    }
}
