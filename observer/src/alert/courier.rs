//! Takes messages where they belong, one after the other.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Counts, Outcome, Way};
use crate::talk::say;
use crate::text::{safe, without_paths};

/// Messages that wait at most for one courier.
pub const MOST_WAITING: usize = 64;

/// Delivers messages. It tells of the places it goes to only what is no secret.
pub trait Courier: fmt::Debug + Send + Sync {
    /// How.
    fn way(&self) -> Way;

    /// Delivers a message, or says why that was not possible.
    fn deliver(&self, message: Arc<[u8]>) -> Delivery<'_>;
}

/// A message on its way.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// Delivers what comes, until nothing can come any more.
pub(super) async fn work(
    courier: Box<dyn Courier>,
    mut queue: mpsc::Receiver<Arc<[u8]>>,
    counts: Arc<Counts>,
) {
    while let Some(message) = queue.recv().await {
        let outcome = match courier.deliver(message).await {
            Ok(()) => Outcome::Delivered,
            Err(error) => {
                let why = format!("{error:#}");
                say(format_args!("an alert failed: {}", safe(&without_paths(&why))));
                Outcome::Failed
            }
        };
        counts.count(courier.way(), outcome);
    }
}
