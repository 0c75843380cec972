//! A stream that breaks off when its peer takes nothing for too long: a client that never reads must not hold a connection for ever. One
//! that has nothing to take, such as a stream of events where nothing happens, may wait as long as it likes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

pub struct WriteTimeout<S> {
    stream: S,
    idle: Duration,
    /// Runs while something waits to be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeout<S> {
    /// `idle`: how long a write may make no progress.
    pub fn new(stream: S, idle: Duration) -> WriteTimeout<S> {
        WriteTimeout { stream, idle, stalled: None }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let idle = self.idle;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(idle)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_is_let_go() {
        let (ours, theirs) = tokio::io::duplex(10);
        let mut stream = WriteTimeout::new(ours, Duration::from_millis(20));
        stream.write_all(&[7; 10]).await.unwrap();
        let stalled = tokio::time::timeout(Duration::from_secs(60), stream.write_all(&[7])).await;
        assert_eq!(stalled.expect("an end").unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }

    #[tokio::test]
    async fn who_takes_a_little_at_a_time_gets_all() {
        let (ours, mut theirs) = tokio::io::duplex(10);
        let mut stream = WriteTimeout::new(ours, Duration::from_secs(5));
        let taking = async {
            let mut taken = [0; 100];
            for part in taken.chunks_mut(5) {
                tokio::time::sleep(Duration::from_millis(5)).await;
                theirs.read_exact(part).await.unwrap();
            }
            taken
        };
        let (written, taken) = tokio::join!(stream.write_all(&[7; 100]), taking);
        written.unwrap();
        assert_eq!(taken, [7; 100]);
        assert!(stream.stalled.is_none(), "the clock runs only while something waits");
    }
}
