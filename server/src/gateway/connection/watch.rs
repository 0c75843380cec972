//! What a connection is doing, by its bytes, and since when.
//!
//! hyper's own header timeout counts from the end of the last answer, so it cannot tell a visitor who is idle from one who sends half a header. Here the
//! bytes are watched instead:
//!
//! ```text
//!   Head ──head complete──► Serving ──answered──► Sending ──all written──► Idle ──next byte──► Head
//!     └ header_read_ms ► closed                      └ idle_ms without progress ► closed ◄ ┘
//! ```
//! What is read before the answer has left (a body, the head of a next request) says nothing about a head that takes too long. A visitor who takes
//! nothing of what is written for `idle_ms` is closed in every phase, also while his answer is still being made.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::heads::{Framing, Heads, Refused};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Head,
    Serving,
    Sending,
    Idle,
}

/// What a connection does, and since when.
#[derive(Debug)]
pub struct Watch {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// Since when a write waits for the visitor to read.
    stalled: Cell<Option<Instant>>,
    heads: RefCell<Heads>,
}

/// A request is being served until this is dropped.
pub struct Busy(Rc<Watch>);

impl Watch {
    /// `header_bytes_max`: of one head.
    pub fn new(header_bytes_max: usize) -> Watch {
        let heads = RefCell::new(Heads::new(header_bytes_max));
        Watch { phase: Cell::new(Phase::Head), since: Cell::new(Instant::now()), stalled: Cell::new(None), heads }
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    /// A head is complete.
    pub fn serve(self: Rc<Self>) -> Busy {
        self.enter(Phase::Serving);
        Busy(self)
    }

    /// Whether the head that is complete now is what it seems.
    pub fn judge_head(&self) -> Result<Framing, Refused> {
        self.heads.borrow_mut().judge_next()
    }

    fn has_read(&self) {
        if self.phase.get() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// Whether a write went through or waits.
    fn has_tried_to_write(&self, result: &Poll<io::Result<usize>>) {
        match result {
            Poll::Ready(_) => self.has_written(),
            Poll::Pending => self.stalled.set(self.stalled.get().or_else(|| Some(Instant::now()))),
        }
    }

    fn has_written(&self) {
        self.stalled.set(None);
        if matches!(self.phase.get(), Phase::Sending | Phase::Idle) {
            self.since.set(Instant::now());
        }
    }

    /// hyper flushes the stream once its own buffer is empty, and has all of an answer's body in that buffer before.
    fn has_flushed(&self) {
        if self.phase.get() == Phase::Sending {
            self.enter(Phase::Idle);
        }
    }

    /// Ends when the connection is to be closed. One timer, looked at when it fires: a request costs none.
    pub async fn deadline(&self, header_read: Duration, idle: Duration) {
        loop {
            let allowed = if self.phase.get() == Phase::Head { header_read } else { idle };
            let left = allowed.saturating_sub(self.since.get().elapsed());
            if self.stalled.get().is_some_and(|since| since.elapsed() >= idle) {
                return;
            }
            if self.phase.get() == Phase::Serving {
                tokio::time::sleep(header_read).await;
            } else if left.is_zero() {
                return;
            } else {
                // A head that begins while an idle connection's timer runs must not wait for it.
                tokio::time::sleep(left.min(header_read)).await;
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(Phase::Sending);
    }
}

/// The stream of a connection, whose bytes are watched.
pub struct Watched<S> {
    stream: S,
    watch: Rc<Watch>,
}

impl<S> Watched<S> {
    pub fn new(stream: S, watch: Rc<Watch>) -> Watched<S> {
        Watched { stream, watch }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.watch.heads.borrow_mut().received(&buffer.filled()[before..]);
            self.watch.has_read();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch.has_tried_to_write(&result);
        result
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch.has_tried_to_write(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        if result.is_ready() {
            self.watch.has_flushed();
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_the_bytes() {
        let watch = Rc::new(Watch::new(8_192));
        assert_eq!(watch.phase.get(), Phase::Head);
        let busy = watch.clone().serve();
        assert_eq!(watch.phase.get(), Phase::Serving);
        watch.has_read();
        watch.has_flushed();
        assert_eq!(watch.phase.get(), Phase::Serving, "a body comes, and what it is answered with is not there yet");
        drop(busy);
        watch.has_read();
        watch.has_written();
        assert_eq!(watch.phase.get(), Phase::Sending);
        watch.has_flushed();
        assert_eq!(watch.phase.get(), Phase::Idle);
        watch.has_read();
        assert_eq!(watch.phase.get(), Phase::Head, "the next byte of a head starts its clock");
    }

    #[tokio::test]
    async fn who_takes_nothing_is_closed_also_while_being_served() {
        let watch = Rc::new(Watch::new(8_192));
        let _busy = watch.clone().serve();
        let (short, idle) = (Duration::from_millis(1), Duration::from_millis(20));
        let waited = tokio::time::timeout(Duration::from_millis(100), watch.deadline(short, idle)).await;
        assert!(waited.is_err(), "being served takes as long as it takes");
        watch.has_tried_to_write(&Poll::Pending);
        tokio::time::timeout(Duration::from_secs(30), watch.deadline(short, idle)).await.expect("it is closed");
        watch.has_tried_to_write(&Poll::Ready(Ok(1)));
        assert!(watch.stalled.get().is_none());
    }
}
