//! What the doctor found.

use serde::Serialize;

/// Everything that was looked at. Its JSON form is the output of `observer doctor --json`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `observer.doctor/1`.
    pub schema: &'static str,
    /// One for each requirement, in the order in which they build on each other.
    pub checks: Vec<Check>,
    /// The MySQL ports.
    pub ports: Vec<u16>,
    /// The network namespaces with sockets on these ports now.
    pub sockets: Vec<NamespaceSockets>,
}

/// One requirement.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What is required, in a few words.
    pub name: String,
    /// Whether it is here.
    pub ok: bool,
    /// What was found: a version, a path, or why it is missing.
    pub found: String,
    /// What is lost without it; only of what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<String>,
    /// What the user can do about it; only of what is missing, and not of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The sockets of MySQL connections in one network namespace.
#[derive(Debug, Serialize)]
pub struct NamespaceSockets {
    /// A file that stands for the namespace; `None` for the observer's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// At the clients' ends.
    pub clients: usize,
    /// At the servers' ends.
    pub servers: usize,
}

impl Report {
    /// An empty one.
    pub fn new(ports: &[u16]) -> Self {
        Self { schema: "observer.doctor/1", checks: Vec::new(), ports: ports.to_vec(), sockets: Vec::new() }
    }

    /// Whether nothing is missing.
    pub fn is_full(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}

impl Check {
    /// The requirement is met.
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), ok: true, found: found.into(), without: None, remedy: None }
    }

    /// It is not, and perhaps there is something to do about it.
    pub fn missing<'a>(
        name: impl Into<String>,
        why: impl Into<String>,
        without: &str,
        remedy: impl Into<Option<&'a str>>,
    ) -> Self {
        Self {
            name: name.into(),
            ok: false,
            found: why.into(),
            without: Some(without.to_owned()),
            remedy: remedy.into().map(str::to_owned),
        }
    }
}
