//! What is to be told of each client. What they say of themselves was found by running them: docs/SESSIONS.md.

use crate::harness::program::Kind;

/// What is to be told of a client.
pub(super) struct Expected {
    pub(super) kind: Kind,
    /// The name of its cgroup, and what that is told as: the field of the report, and its value.
    pub(super) cgroup: &'static str,
    pub(super) place: (&'static str, &'static str),
    /// The name the kernel keeps, and a word of the command line.
    pub(super) comm: &'static str,
    pub(super) command: &'static str,
    /// Id and name of the user; a container's users have no names here.
    pub(super) user: (u32, Option<&'static str>),
    /// What it says of itself; `None` where TLS hides it.
    pub(super) announces: Option<Announced>,
}

/// Connection attributes.
pub(super) struct Announced {
    pub(super) name: &'static str,
    pub(super) program: Option<&'static str>,
    /// Whether its process id is among them.
    pub(super) pid: bool,
    /// How the advice begins that is about this library alone.
    pub(super) advice: &'static str,
}

pub(super) const ALL: [Expected; 8] = [
    Expected {
        kind: Kind::Aiomysql,
        cgroup: "aiomysql.service",
        place: ("unit", "aiomysql.service"),
        comm: "python",
        command: "aiomysql",
        user: (0, Some("root")),
        announces: Some(Announced {
            name: "aiomysql",
            program: Some("reads.py"),
            pid: true,
            advice: "In aiomysql, ",
        }),
    },
    Expected {
        kind: Kind::PyMysql,
        cgroup: "docker-1f2e3d4c5b6a79880f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778.scope",
        place: ("container", "docker 1f2e3d4c5b6a"),
        comm: "python",
        command: "pymysql",
        user: (0, None),
        announces: Some(Announced {
            name: "pymysql",
            program: Some("reads.py"),
            pid: true,
            advice: "In PyMySQL, ",
        }),
    },
    Expected {
        kind: Kind::ConnectorPython,
        cgroup: "libpod-2f2e3d4c5b6a79880f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778.scope",
        place: ("container", "podman 2f2e3d4c5b6a"),
        comm: "python",
        command: "connector-python",
        user: (0, None),
        announces: Some(Announced {
            name: "mysql-connector-python",
            program: None,
            pid: true,
            advice: "In Connector/Python, ",
        }),
    },
    Expected {
        kind: Kind::ConnectorPythonPure,
        cgroup: "session-3.scope",
        place: ("unit", "session-3.scope"),
        comm: "python",
        command: "connector-python-pure",
        user: (0, Some("root")),
        announces: Some(Announced {
            name: "mysql-connector-python",
            program: None,
            pid: true,
            advice: "In Connector/Python, ",
        }),
    },
    Expected {
        kind: Kind::Mysql2,
        cgroup: "lxc.payload.node",
        place: ("container", "lxc node"),
        comm: "node",
        command: "mysql2.js",
        user: (0, None),
        announces: Some(Announced { name: "Node-MySQL-2", program: None, pid: false, advice: "In mysql2, " }),
    },
    Expected {
        kind: Kind::Mysql,
        cgroup: "machine-tools.scope",
        place: ("container", "machine tools"),
        comm: "mysql",
        command: "--quick",
        user: (0, None),
        announces: Some(Announced {
            name: "libmysql",
            program: Some("mysql"),
            pid: true,
            advice: "The command-line client with --quick",
        }),
    },
    Expected {
        kind: Kind::MysqlWithTls,
        cgroup: "backup.service",
        place: ("unit", "backup.service"),
        comm: "mysql",
        command: "--quick",
        user: (0, Some("root")),
        announces: None,
    },
    Expected {
        kind: Kind::Mariadb,
        cgroup: "export.service",
        place: ("unit", "export.service"),
        comm: "mariadb",
        command: "--quick",
        user: (65534, Some("nobody")),
        announces: Some(Announced {
            name: "libmariadb",
            program: Some("mysql"),
            pid: true,
            advice: "The command-line client with --quick",
        }),
    },
];
