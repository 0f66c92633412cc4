//! Answers whoever asks for the metrics, on a thread of its own: what is observed does not wait for them.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};

use super::Exposition;

/// So many may ask at a time; the others wait, as far as the kernel lets them.
pub const MOST_CONNECTIONS: usize = 8;
/// A connection lives so long at most, and is for one question.
pub const LIFETIME: Duration = Duration::from_secs(5);
/// The longest question, in bytes: hyper wants no less.
const LONGEST_REQUEST: usize = 8192;
/// Where nothing can be accepted (no file descriptors, say), it is tried again after so long.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Serves the metrics as long as it lives.
#[derive(Debug)]
pub struct Serving {
    /// Where.
    pub address: SocketAddr,
    _until_dropped: oneshot::Sender<()>,
}

/// Takes the address.
///
/// # Errors
///
/// When it cannot be had.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        format!("serving metrics at {address}; another address can be given with --metrics ADDRESS:PORT")
    })
}

/// Serves `exposition`. Its thread is allowed to do what the calling one is.
///
/// # Errors
///
/// When there can be no thread.
pub fn serve(listener: TcpListener, exposition: Exposition) -> anyhow::Result<Serving> {
    listener.set_nonblocking(true).context("preparing the socket for metrics")?;
    let address = listener.local_addr().context("asking for the address of the metrics")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime for metrics")?;
    let (sender, dropped) = oneshot::channel();
    thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = dropped => {}
                    () = accept(listener, Arc::new(exposition)) => {}
                }
            });
        })
        .context("starting the thread for metrics")?;
    Ok(Serving { address, _until_dropped: sender })
}

async fn accept(listener: TcpListener, exposition: Arc<Exposition>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answering = tokio::time::timeout(LIFETIME, converse(stream, Arc::clone(&exposition)));
                tokio::spawn(async move {
                    // Whoever is too slow or says nonsense has had its chance.
                    let _ = answering.await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(AFTER_FAILURE).await,
        }
    }
}

async fn converse(stream: TcpStream, exposition: Arc<Exposition>) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let answer = answer(&request, &exposition);
        async { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LIFETIME)
        .keep_alive(false)
        .max_buf_size(LONGEST_REQUEST)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(request: &Request<Incoming>, exposition: &Exposition) -> Response<Full<Bytes>> {
    const PLAIN: &str = "text/plain; charset=utf-8";
    if request.method() != Method::GET {
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET is answered\n");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return refusal;
    }
    match request.uri().path() {
        "/metrics" => match exposition.text() {
            Ok(text) => response(StatusCode::OK, Exposition::TYPE, text),
            Err(_) => response(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, "the metrics cannot be written\n"),
        },
        "/" => response(StatusCode::OK, PLAIN, "observer: the metrics are at /metrics\n"),
        _ => response(StatusCode::NOT_FOUND, PLAIN, "the metrics are at /metrics\n"),
    }
}

fn response(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
