//! Links from document to document.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{Document, documents, repository};

/// The targets of a document's links and pictures.
fn targets(document: &Document) -> Vec<&str> {
    let of_line =
        |line| str::split(line, "](").skip(1).filter_map(|rest: &str| Some(rest.split_once(')')?.0));
    document.prose().flat_map(of_line).collect()
}

/// The anchors that its headings are, as GitHub makes them.
fn anchors(document: &Document) -> BTreeSet<String> {
    let headings = document.prose().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for document in &documents {
        for target in targets(document) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let from = document.path.parent().unwrap_or(Path::new(""));
            let place =
                repository().join(if file.is_empty() { document.path.clone() } else { from.join(file) });
            let is_there = place.exists()
                && (anchor.is_empty() || {
                    let place = place.canonicalize().unwrap();
                    let same =
                        |other: &&Document| repository().canonicalize().unwrap().join(&other.path) == place;
                    documents.iter().find(same).is_some_and(|other| anchors(other).contains(anchor))
                });
            if !is_there {
                wrong.push(format!("{}: {target}", document.path.display()));
            }
        }
    }
    assert!(count > 40, "{count}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
