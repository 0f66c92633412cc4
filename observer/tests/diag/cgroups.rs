//! One cgroup alone: its sockets and those of the cgroups below it.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use observer::source::live::Cgroup;
use observer_core::{Event, Flow, Vantage};

use crate::cgroup::OwnCgroup;
use crate::privilege::is_root;
use crate::support::{Diag, FAST, LOOPBACK_4, NEVER, cookies, degraded, destroyed, samples};

/// A process in a cgroup that has connected to a server outside of it.
struct Client {
    process: Child,
    server: TcpStream,
}

impl Client {
    fn connect(cgroup: &Path, listener: &TcpListener) -> Self {
        const SCRIPT: &str =
            r#"echo $$ > "$0/cgroup.procs" && exec 3<> "/dev/tcp/127.0.0.1/$1" && echo up && exec cat"#;
        let mut process = Command::new("bash")
            .args(["-c", SCRIPT])
            .arg(cgroup)
            .arg(listener.local_addr().unwrap().port().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        Self { process, server: listener.accept().unwrap().0 }
    }

    fn flow(&self) -> Flow {
        Flow { client: self.server.peer_addr().unwrap(), server: self.server.local_addr().unwrap() }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The ends of a connection that are told.
fn ends_told(events: &[Event], flow: Flow) -> Vec<Vantage> {
    samples(events, flow).into_iter().map(|(end, ..)| end).collect()
}

#[test]
fn only_sockets_of_the_cgroup_and_below_it_are_told() {
    if !is_root("only_sockets_of_the_cgroup_and_below_it_are_told", "making cgroups") {
        return;
    }
    let root = Cgroup::find().unwrap().expect("cgroup v2 is mounted").path;
    let cgroup = OwnCgroup::new(root.join(format!("observer-diag-{}", std::process::id())));
    let listener = TcpListener::bind(SocketAddr::new(LOOPBACK_4, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let outside = TcpStream::connect(address).unwrap();
    let outside_server = listener.accept().unwrap().0;
    let not_ours = Flow { client: outside.local_addr().unwrap(), server: address };
    let inside = Client::connect(&cgroup.0, &listener);

    let mut diag = Diag::limited_to(Some(cgroup.0.clone()), address.port(), NEVER);
    let events = diag.next();
    assert_eq!(ends_told(&events, inside.flow()), [Vantage::Client], "its server is outside");
    assert_eq!(ends_told(&events, not_ours), []);
    assert_eq!(degraded(&events), []);
    let told = cookies(&events, inside.flow());

    let below = OwnCgroup::new(cgroup.0.join("made-since"));
    let later = Client::connect(&below.0, &listener);
    diag.handle.poll_now();
    assert_eq!(ends_told(&diag.next(), later.flow()), [Vantage::Client]);

    // It ends before the other, so that its end would have been told.
    drop((outside, outside_server));
    let flow = inside.flow();
    drop(inside);
    diag.handle.set_period(FAST);
    let gone = diag.wait_for("the end of the socket in the cgroup", |events| {
        assert_eq!((destroyed(events, not_ours), ends_told(events, not_ours)), (vec![], vec![]));
        Some(destroyed(events, flow)).filter(|gone| !gone.is_empty())
    });
    assert_eq!(gone, told);
}
