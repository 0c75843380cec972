//! Whose turn it is on one gateway thread.
//!
//! A fresh request runs its first slice in its connection's task, when the reactor delivers it. A guest that was preempted waits here. The runner releases
//! the oldest, for one slice, then yields: tokio wakes a task that yielded only after it polled the driver, so between two slices of preempted guests all
//! that arrived meanwhile gets its turn. Neither side starves, and an endless loop adds at most two slices to a neighbour: the one that runs when the
//! neighbour's request arrives and the one that was released before it.

use std::cell::RefCell;
use std::collections::VecDeque;

use tokio::sync::{Notify, oneshot};

/// The right to run for one slice; the queue goes on when it is dropped.
#[derive(Debug)]
pub struct Slice {
    _ended: oneshot::Sender<()>,
}

/// Preempted guests of one thread. Its length is bounded by the thread's slots: only who holds an instance waits here.
#[derive(Debug, Default)]
pub struct RunQueue {
    waiting: RefCell<VecDeque<oneshot::Sender<Slice>>>,
    arrived: Notify,
}

impl RunQueue {
    /// Waits for the next slice of this guest. May be dropped at any time.
    pub async fn turn(&self) -> Slice {
        loop {
            let (sender, receiver) = oneshot::channel();
            self.waiting.borrow_mut().push_back(sender);
            self.arrived.notify_one();
            if let Ok(slice) = receiver.await {
                return slice;
            }
        }
    }

    /// How many guests wait.
    pub fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// The runner: one task of the thread, for as long as it lives.
    pub async fn run(&self) {
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some(waiter) = next else {
                self.arrived.notified().await;
                continue;
            };
            let (sender, ended) = oneshot::channel();
            // A waiter that is gone costs nothing: the next one is tried at once.
            if waiter.send(Slice { _ended: sender }).is_ok() {
                // The sender is only ever dropped; either way the slice is over.
                let _ = ended.await;
                tokio::task::yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::Future;
    use std::io::Write as _;
    use std::rc::Rc;
    use tokio::io::AsyncReadExt as _;

    fn on_one_thread<F: Future>(story: impl FnOnce(Rc<RunQueue>) -> F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let queue = Rc::new(RunQueue::default());
            let runner = queue.clone();
            tokio::task::spawn_local(async move { runner.run().await });
            story(queue).await
        })
    }

    /// A guest that never ends: it counts its slices and does something in each.
    fn endless(queue: &Rc<RunQueue>, slices: &Rc<Cell<usize>>, mut each: impl FnMut(usize) + 'static) {
        let (queue, slices) = (queue.clone(), slices.clone());
        tokio::task::spawn_local(async move {
            loop {
                let slice = queue.turn().await;
                slices.set(slices.get() + 1);
                each(slices.get());
                drop(slice);
            }
        });
    }

    #[test]
    fn endless_loops_add_at_most_two_slices_to_a_neighbour() {
        on_one_thread(async |queue| {
            let slices = Rc::new(Cell::new(0));
            let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
            far.set_nonblocking(true).unwrap();
            let mut far = tokio::net::UnixStream::from_std(far).unwrap();
            let sent_at = Rc::new(Cell::new(0));
            for _ in 0..20 {
                endless(&queue, &slices, |_| {});
            }
            let (slices_now, sent) = (slices.clone(), sent_at.clone());
            // One of the loops plays the network: a request arrives during its slice.
            endless(&queue, &slices, move |slice| {
                if slice > 100 && sent.get() == 0 {
                    near.write_all(b"x").unwrap();
                    sent.set(slices_now.get());
                }
            });
            far.read_u8().await.unwrap();
            let added = slices.get() - sent_at.get();
            assert!(added <= 2, "{added} slices ran between a request's arrival and its first slice");
        });
    }

    #[test]
    fn preempted_guests_progress_while_fresh_requests_keep_coming() {
        on_one_thread(async |queue| {
            let slices = Rc::new(Cell::new(0));
            endless(&queue, &slices, |_| {});
            // A connection on which something has arrived whenever the reactor is asked.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            assert!(slices.get() >= 100, "{} slices in 200 turns of the reactor", slices.get());
        });
    }

    #[test]
    fn turns_go_round_in_order_and_those_who_left_are_skipped() {
        on_one_thread(async |queue| {
            let order = Rc::new(RefCell::new(Vec::new()));
            let mut tasks = Vec::new();
            for guest in 0..3 {
                let (queue, order) = (queue.clone(), order.clone());
                tasks.push(tokio::task::spawn_local(async move {
                    for _ in 0..if guest == 1 { 1 } else { 3 } {
                        let _slice = queue.turn().await;
                        order.borrow_mut().push(guest);
                    }
                    if guest == 1 {
                        // Leaves while it waits.
                        let mut turn = Box::pin(queue.turn());
                        std::future::poll_fn(|context| {
                            assert!(turn.as_mut().poll(context).is_pending());
                            std::task::Poll::Ready(())
                        })
                        .await;
                    }
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(*order.borrow(), [0, 1, 2, 0, 2, 0, 2]);
            assert_eq!(queue.waiting(), 0);
        });
    }
}
