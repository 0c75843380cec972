//! Bodies of answers: bytes in hand, or a stream of what a guest writes.

use std::any::Any;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// Pieces of a stream between the guest's task and the connection's.
const PIECES_WAITING_MAX: usize = 1;

pub struct Payload {
    source: Source,
    /// Let go with the last piece.
    until_done: Option<Box<dyn Any>>,
}

enum Source {
    Whole { pieces: VecDeque<Bytes>, bytes_left: u64 },
    Stream(mpsc::Receiver<Result<Bytes, Incomplete>>),
}

/// A guest that never came to the end of its answer: the connection is closed, so that the visitor can tell.
#[derive(Debug, thiserror::Error)]
#[error("the program did not finish its answer")]
pub struct Incomplete;

/// Where the pieces of a stream are put.
pub type Pieces = mpsc::Sender<Result<Bytes, Incomplete>>;

impl Payload {
    pub fn of(pieces: impl IntoIterator<Item = Bytes>) -> Payload {
        let pieces: VecDeque<Bytes> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let bytes_left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Payload { source: Source::Whole { pieces, bytes_left }, until_done: None }
    }

    pub fn stream() -> (Pieces, Payload) {
        let (sender, pieces) = mpsc::channel(PIECES_WAITING_MAX);
        (sender, Payload { source: Source::Stream(pieces), until_done: None })
    }

    /// Keeps something until the last of several pieces has been handed on; a single one is handed on at once.
    pub fn hold(&mut self, until_done: impl Any) {
        if !matches!(&self.source, Source::Whole { pieces, .. } if pieces.len() <= 1) {
            self.until_done = Some(Box::new(until_done));
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Payload {
        Payload::of([bytes])
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Incomplete;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Incomplete>>> {
        let piece = match &mut self.source {
            Source::Whole { pieces, bytes_left } => {
                let piece = pieces.pop_front();
                *bytes_left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
                piece.map(Ok)
            }
            Source::Stream(pieces) => std::task::ready!(pieces.poll_recv(context)),
        };
        if piece.is_none() || self.is_end_stream() {
            self.until_done = None;
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Whole { bytes_left: 0, .. })
    }

    fn size_hint(&self) -> SizeHint {
        match self.source {
            Source::Whole { bytes_left, .. } => SizeHint::with_exact(bytes_left),
            Source::Stream(_) => SizeHint::default(),
        }
    }
}
