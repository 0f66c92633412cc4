//! What the path of a cgroup says of who runs a process: systemd and the container runtimes name their cgroups, each in
//! a way of its own.

/// The longest path that is kept, in bytes.
const LONGEST: usize = 256;
/// How much of a container's id is told, as `docker ps` does.
const SHORT_ID: usize = 12;
/// Letters of a whole id.
const WHOLE_ID: usize = 64;

/// What is known of a process by its cgroup.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// `mysql.service`.
    pub(super) unit: Option<String>,
    /// `docker 3f4ac0a1b2c3`.
    pub(super) container: Option<String>,
    /// The uid of the Kubernetes pod.
    pub(super) pod: Option<String>,
    /// The path itself.
    pub(super) path: Option<String>,
}

impl Place {
    /// Reads `/proc/PID/cgroup` (cgroups(7)). Where version 1 is mounted, each hierarchy has a path; the first that says
    /// something counts, version 2 and systemd's own before the others.
    pub(super) fn parse(text: &str) -> Self {
        let mut paths: Vec<(u8, &str)> = text.lines().filter_map(hierarchy).collect();
        paths.sort_by_key(|(rank, _)| *rank);
        let mut place = Self::default();
        for (_, path) in paths.iter().filter(|(_, path)| *path != "/") {
            let mut before = "";
            for part in path.split(['/', ':']).filter(|part| !part.is_empty()) {
                place.take(before, part);
                before = part;
            }
            if place.path.is_none() {
                place.path = Some(cut(path));
            }
            if place.unit.is_some() || place.container.is_some() {
                break;
            }
        }
        place.path = place.path.or_else(|| paths.first().map(|(_, path)| cut(path)));
        place
    }

    /// Takes in one part of a path, with the one before it; those come from the outer to the inner.
    fn take(&mut self, before: &str, part: &str) {
        if let Some(container) = container(before, part) {
            self.container = Some(container);
            // The unit of the runtime is not that of the container; one that comes behind it is.
            self.unit = None;
        } else if let Some(pod) = pod(part) {
            self.pod = Some(pod);
        } else if kind(part) == Some("slice") {
            // Slices hold units; one by itself says the least.
            let unit = self.unit.as_deref();
            if unit.is_none_or(|unit| kind(unit) == Some("slice")) {
                self.unit = Some(cut(&unescaped(part)));
            }
        } else if matches!(kind(part), Some("service" | "scope")) {
            self.unit = Some(cut(&unescaped(part)));
        }
    }
}

/// How telling a hierarchy is, and its path.
fn hierarchy(line: &str) -> Option<(u8, &str)> {
    let (number, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let rank = match (number, controllers) {
        ("0", _) => 0,
        (_, "name=systemd") => 1,
        _ => 2,
    };
    Some((rank, path))
}

/// Of which kind a unit is.
fn kind(unit: &str) -> Option<&str> {
    unit.rsplit_once('.').map(|(_, kind)| kind)
}

/// A container: `docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID.scope`, `libpod-ID.scope`; the id alone, behind
/// the name of the runtime or not; and the machines of LXC and systemd, which have names.
fn container(before: &str, part: &str) -> Option<String> {
    const RUNTIMES: [(&str, &str); 5] = [
        ("docker", "docker"),
        ("cri-containerd", "containerd"),
        ("nerdctl", "containerd"),
        ("crio", "cri-o"),
        ("libpod", "podman"),
    ];
    let name = part.strip_suffix(".scope").unwrap_or(part);
    if let Some(name) = name.strip_prefix("lxc.payload.") {
        return Some(format!("lxc {}", cut(name)));
    }
    if let Some(name) = name.strip_prefix("machine-").filter(|_| name != part) {
        return Some(format!("machine {}", cut(&unescaped(name))));
    }
    // `crio-conmon-ID` and `libpod-conmon-ID` are the processes that watch a container.
    let named = RUNTIMES.iter().find_map(|(prefix, runtime)| {
        let id = name.strip_prefix(prefix)?.strip_prefix('-')?;
        is_id(id).then_some((*runtime, id))
    });
    let alone = || {
        let runtime =
            RUNTIMES.iter().find(|(name, _)| *name == before).map_or("container", |(_, runtime)| runtime);
        is_id(name).then_some((runtime, name))
    };
    let (runtime, id) = named.or_else(alone)?;
    Some(format!("{runtime} {}", &id[..SHORT_ID]))
}

fn is_id(text: &str) -> bool {
    text.len() == WHOLE_ID && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The uid of a pod: `pod0d3c…` or, by systemd, `kubepods-besteffort-pod0d3c_….slice`, behind the kubelet's own cgroup
/// where it has one.
fn pod(part: &str) -> Option<String> {
    let part = part.strip_suffix(".slice").unwrap_or(part);
    let uid = match part.split_once("kubepods") {
        Some((_, rest)) => rest.rsplit_once("-pod")?.1,
        None => part.strip_prefix("pod")?,
    };
    let is_uid = uid.len() >= 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || b"-_".contains(&byte));
    is_uid.then(|| cut(&uid.replace('_', "-")))
}

/// The beginning of what is too long.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}

/// systemd writes what is no letter of a name as `\x2d` (systemd-escape(1)).
fn unescaped(name: &str) -> String {
    let mut parts = name.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        if let Some(byte) = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        } else {
            bytes.extend_from_slice(b"\\x");
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f4ac0a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccdd";
    const POD: &str = "0d3c1f6e-7b1a-4c55-9a0e-3f6b2d5c8e90";

    #[test]
    fn units_containers_and_pods_by_their_paths() {
        let pod = POD.replace('-', "_");
        let docker = Some("docker 3f4ac0a1b2c3");
        for (text, unit, container, has_pod) in [
            ("0::/system.slice/mysql.service", Some("mysql.service"), None, false),
            (
                "0::/system.slice/system-mysqld.slice/mysqld@eu.service",
                Some("mysqld@eu.service"),
                None,
                false,
            ),
            ("0::/user.slice/user-1000.slice/session-3.scope", Some("session-3.scope"), None, false),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app.service",
                Some("app.service"),
                None,
                false,
            ),
            ("0::/batch.slice", Some("batch.slice"), None, false),
            (r"0::/system.slice/data\x2dimport.service", Some("data-import.service"), None, false),
            (r"0::/system.slice/odd\xzz\x.service", Some(r"odd\xzz\x.service"), None, false),
            // Hybrid: version 2 is there and empty.
            (
                "12:cpu,cpuacct:/\n1:name=systemd:/system.slice/cron.service\n0::/",
                Some("cron.service"),
                None,
                false,
            ),
            ("4:memory:/system.slice/cron.service\n1:name=systemd:/", Some("cron.service"), None, false),
            (&format!("0::/system.slice/docker-{ID}.scope"), None, docker, false),
            (&format!("0::/system.slice/docker-{ID}.scope/init.scope"), Some("init.scope"), docker, false),
            (&format!("11:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/"), None, docker, false),
            (&format!("0::/../docker-{ID}.scope"), None, docker, false),
            (
                &format!(
                    "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{pod}.slice/\
                     cri-containerd-{ID}.scope"
                ),
                None,
                Some("containerd 3f4ac0a1b2c3"),
                true,
            ),
            (
                &format!(
                    "0::/system.slice/containerd.service/kubepods-burstable-pod{pod}.slice:cri-containerd:{ID}"
                ),
                None,
                Some("containerd 3f4ac0a1b2c3"),
                true,
            ),
            (
                &format!("0::/kubepods.slice/kubepods-pod{pod}.slice/crio-{ID}.scope"),
                None,
                Some("cri-o 3f4ac0a1b2c3"),
                true,
            ),
            (
                &format!("5:memory:/kubepods/besteffort/pod{POD}/{ID}"),
                None,
                Some("container 3f4ac0a1b2c3"),
                true,
            ),
            (
                &format!("0::/machine.slice/libpod-{ID}.scope/container"),
                None,
                Some("podman 3f4ac0a1b2c3"),
                false,
            ),
            (
                &format!("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"),
                None,
                Some("podman 3f4ac0a1b2c3"),
                false,
            ),
            (&format!("0::/default/{ID}"), None, Some("container 3f4ac0a1b2c3"), false),
            (
                &format!("0::/machine.slice/libpod-conmon-{ID}.scope"),
                Some(&*format!("libpod-conmon-{ID}.scope")),
                None,
                false,
            ),
            ("0::/lxc.payload.web/system.slice/nginx.service", Some("nginx.service"), Some("lxc web"), false),
            ("0::/machine.slice/machine-web.scope", None, Some("machine web"), false),
            ("0::/podium", None, None, false),
            ("0::/", None, None, false),
            ("nonsense", None, None, false),
        ] {
            let place = Place::parse(text);
            assert_eq!(place.unit.as_deref(), unit, "{text}");
            assert_eq!(place.container.as_deref(), container, "{text}");
            assert_eq!(place.pod.as_deref(), has_pod.then_some(POD), "{text}");
        }
    }

    /// As the runtimes' own documents have them, or as they were found: each says where.
    #[test]
    fn real_paths_of_containers() {
        for (text, container, pod) in [
            // <https://docs.docker.com/engine/containers/runmetrics/>, version 1.
            (
                "1:name=systemd:/docker/ae836c95b4c3c9e9179e0e91015512da89fdec91612f63cebae57df9a5444c79",
                "docker ae836c95b4c3",
                None,
            ),
            // Docker 26.1.5, Debian 13, with the drivers systemd and cgroupfs; the second as seen from the host of the machine.
            (
                "4:memory:/\n0::/system.slice/docker-84c1c4709b374e0fff0d2dabe535bdaaff1444789aa2ca84524598d8dbaa9766.scope",
                "docker 84c1c4709b37",
                None,
            ),
            (
                "0::/observer-trial-16641/docker/e0b0a8df5b30add113c8bb642f62abd5f12a58fa1fe9be1e921e561e09413cf9",
                "docker e0b0a8df5b30",
                None,
            ),
            // podman 4.3.1 with runc 1.1.5 and cgroupfs, Debian 12, hybrid; with crun 1.8.1 the same.
            (
                "9:name=systemd:/libpod_parent/libpod-ae2ed2aa247c543fc6e890a057003ce8544a946245722add7ab34b6daf502133\n\
                 4:memory:/libpod_parent/libpod-ae2ed2aa247c543fc6e890a057003ce8544a946245722add7ab34b6daf502133\n\
                 0::/libpod_parent/libpod-ae2ed2aa247c543fc6e890a057003ce8544a946245722add7ab34b6daf502133",
                "podman ae2ed2aa247c",
                None,
            ),
            // The same on version 2 alone, where each line of version 1 is there and says nothing.
            (
                "9:name=systemd:/\n4:memory:/process_api/07184241\n\
                 0::/libpod_parent/libpod-0d1a48856b7d2af3d1346ca11f25cd9d2e31347b662967fede9c327f20706392",
                "podman 0d1a48856b7d",
                None,
            ),
            // podman 5.4.2 with crun 1.21 and systemd, Debian 13.
            (
                "0::/machine.slice/libpod-99a7894ef1d0fb9a00df2887d37e79147dd14f7beec704f13fc7b0f35caaadc4.scope/container",
                "podman 99a7894ef1d0",
                None,
            ),
            // Kubernetes, by the names of kubernetes/pkg/kubelet/cm: cgroupfs, of a pod with guaranteed resources; a static
            // pod, whose uid is a hash; and kind, whose kubelet has a cgroup of its own.
            (
                "0::/kubepods/pod0d3c1f6e-7b1a-4c55-9a0e-3f6b2d5c8e90/\
                 3f4ac0a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccdd",
                "container 3f4ac0a1b2c3",
                Some(POD),
            ),
            (
                "0::/kubepods.slice/kubepods-burstable.slice/\
                 kubepods-burstable-pod8d0b8b8d2d0a4d1c9b0e2f3a4b5c6d7e.slice/\
                 cri-containerd-3f4ac0a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccdd.scope",
                "containerd 3f4ac0a1b2c3",
                Some("8d0b8b8d2d0a4d1c9b0e2f3a4b5c6d7e"),
            ),
            (
                "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/\
                 kubelet-kubepods-besteffort-pod0d3c1f6e_7b1a_4c55_9a0e_3f6b2d5c8e90.slice/\
                 cri-containerd-3f4ac0a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccdd.scope",
                "containerd 3f4ac0a1b2c3",
                Some(POD),
            ),
        ] {
            let place = Place::parse(text);
            assert_eq!(place.container.as_deref(), Some(container), "{text}");
            assert_eq!((place.pod.as_deref(), place.unit), (pod, None), "{text}");
        }
    }

    #[test]
    fn the_path_is_kept_where_nothing_else_is_known_and_never_too_long() {
        assert_eq!(Place::parse("4:cpu:/a\n0::/").path.as_deref(), Some("/a"));
        assert_eq!(Place::parse("4:cpu:/a\n0::/b").path.as_deref(), Some("/b"));
        assert_eq!(Place::parse("4:cpu:/\n0::/").path.as_deref(), Some("/"));
        assert_eq!(Place::parse("").path, None);
        let long = Place::parse(&format!("0::/{}", "ü".repeat(4000)));
        assert!(long.path.is_some_and(|path| path.len() <= LONGEST));
    }
}
