//! HTTP as far as tests need it: a listener that answers as it was told, and a client.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::process::PATIENCE;

/// The certificate of listeners by TLS, for `localhost`; it signs itself.
pub(crate) const CERTIFICATE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/certificate.pem");

/// What a listener does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Answers with this status.
    Status(u16),
    /// Reads and never answers, until the other gives up.
    Hang,
    /// Reads and closes.
    Close,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    /// The request line and the fields, with lower-case names.
    pub(crate) head: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// Listens on loopback, answers as it was told and then with 200.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    requests: Receiver<Request>,
}

impl Listener {
    pub(crate) fn start(answers: &[Answer]) -> Self {
        Self::start_as(answers, |stream| stream)
    }

    /// By TLS, with the certificate at [`CERTIFICATE`].
    pub(crate) fn start_tls(answers: &[Answer]) -> Self {
        let pem = |name: &str| std::fs::read(Path::new(CERTIFICATE).with_file_name(name)).unwrap();
        let certificate = CertificateDer::from_pem_slice(&pem("certificate.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&pem("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
        Self::start_as(answers, move |stream| {
            StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream)
        })
    }

    fn start_as<S: Read + Write>(answers: &[Answer], wrap: impl Fn(TcpStream) -> S + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        let answers = answers.to_vec();
        thread::spawn(move || {
            let mut answers = answers.into_iter();
            while let Ok((stream, _)) = listener.accept() {
                let mut reader = BufReader::new(wrap(stream));
                // Several may come by one connection.
                while let Ok(request) = read(&mut reader) {
                    if sender.send(request).is_err() {
                        return;
                    }
                    match answers.next().unwrap_or(Answer::Status(200)) {
                        Answer::Status(status) => {
                            let head = format!("HTTP/1.1 {status} Told\r\nContent-Length: 0\r\n\r\n");
                            let _ = reader.get_mut().write_all(head.as_bytes());
                            let _ = reader.get_mut().flush();
                        }
                        Answer::Hang => {
                            let _ = reader.read(&mut [0]);
                            break;
                        }
                        Answer::Close => break,
                    }
                }
            }
        });
        Self { address, requests }
    }

    /// The next request.
    pub(crate) fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).unwrap()
    }

    /// Those that came and were not asked for.
    pub(crate) fn others(&self) -> usize {
        self.requests.try_iter().count()
    }
}

fn read(reader: &mut impl BufRead) -> io::Result<Request> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => head.push(match line.split_once(':') {
                Some((name, value)) if !head.is_empty() => format!("{}:{value}", name.to_lowercase()),
                _ => line.to_owned(),
            }),
        }
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body)?;
    Ok(Request { head, body })
}

/// Sends `head`, of which the last line is added, and gives the whole answer.
pub(crate) fn ask(address: SocketAddr, head: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The body of what is at `path`.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    // A server of this version does not answer in chunks.
    let answer = ask(address, &format!("GET {path} HTTP/1.0")).unwrap();
    assert_eq!(answer.split(' ').nth(1), Some("200"), "{path}: {answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}
