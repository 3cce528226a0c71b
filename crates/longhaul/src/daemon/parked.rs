//! Waiting on this very thread, inside of a runtime or not. For what a program that embeds the daemon
//! asks without being able to await: the engine and the readers have threads of their own, so what is
//! waited for here never needs this one.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks until `future` is done.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            // Waking before this is remembered, so none is missed.
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_another_thread_sends_is_waited_for() {
        let (send, received) = tokio::sync::oneshot::channel();
        let other = std::thread::spawn(move || send.send(7));
        assert_eq!(super::wait(received), Ok(7));
        assert_eq!(other.join().unwrap(), Ok(()));
    }
}
