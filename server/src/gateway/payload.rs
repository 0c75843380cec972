//! Bodies of answers: bytes in hand, or a stream of what a guest writes.

use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
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
    Stream { pieces: mpsc::Receiver<Bytes>, is_finished: Rc<Cell<bool>> },
}

/// A guest that never came to the end of its answer: the connection is closed, so that the visitor can tell.
#[derive(Debug, thiserror::Error)]
#[error("the program did not finish its answer")]
pub struct Incomplete;

/// Where the pieces of a stream are put. Dropped before [`Pieces::finish`], the stream ends as [`Incomplete`], also behind a piece that nobody has read yet.
pub struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    is_finished: Rc<Cell<bool>>,
}

/// Nobody reads the stream any more.
#[derive(Debug)]
pub struct Left;

impl Pieces {
    /// Waits until the piece before it was taken.
    pub async fn send(&self, piece: Bytes) -> Result<(), Left> {
        self.pieces.send(piece).await.map_err(|_| Left)
    }

    /// The stream is whole.
    pub fn finish(self) {
        self.is_finished.set(true);
    }

    pub fn is_closed(&self) -> bool {
        self.pieces.is_closed()
    }

    /// Ends when nobody reads the stream any more.
    pub async fn closed(&self) {
        self.pieces.closed().await;
    }
}

impl Payload {
    pub fn of(pieces: impl IntoIterator<Item = Bytes>) -> Payload {
        let pieces: VecDeque<Bytes> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let bytes_left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Payload { source: Source::Whole { pieces, bytes_left }, until_done: None }
    }

    pub fn stream() -> (Pieces, Payload) {
        let (sender, pieces) = mpsc::channel(PIECES_WAITING_MAX);
        let is_finished = Rc::new(Cell::new(false));
        let source = Source::Stream { pieces, is_finished: is_finished.clone() };
        (Pieces { pieces: sender, is_finished }, Payload { source, until_done: None })
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
            Source::Stream { pieces, is_finished } => match std::task::ready!(pieces.poll_recv(context)) {
                None if !is_finished.replace(true) => Some(Err(Incomplete)),
                piece => piece.map(Ok),
            },
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
            Source::Stream { .. } => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_stream_that_was_not_finished_ends_in_an_error_behind_its_last_piece() {
        for finished in [false, true] {
            let (pieces, mut payload) = Payload::stream();
            pieces.send("fern".into()).await.unwrap();
            if finished {
                pieces.finish();
            } else {
                drop(pieces);
            }
            assert_eq!(payload.frame().await.unwrap().unwrap().into_data().unwrap(), "fern");
            assert_eq!(payload.frame().await.map(|frame| frame.is_err()), (!finished).then_some(true));
            assert!(payload.frame().await.is_none());
        }
    }
}
