//! Reads beside the writer. A few readers, made once; a read borrows one for as long as it takes.

use super::handle::{AskError, DISK_RETRY_MS, stopping};
use super::parked;
use longhaul_core::port::{Reader, StoreError};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// How many reads go on at once; more wait their turn.
pub(super) const READERS: usize = 3;

/// Reads committed rows. Cheap to clone.
#[derive(Clone)]
pub struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    readers: usize,
    idle: Mutex<Vec<Box<dyn Reader>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(readers: Vec<Box<dyn Reader>>) -> Self {
        let count = readers.len();
        let permits = Arc::new(Semaphore::new(count));
        Self { shared: Arc::new(Shared { readers: count, idle: Mutex::new(readers), permits }) }
    }

    /// Reads. `read` runs on a thread that may block; it should come back soon, since few run at
    /// once.
    ///
    /// # Errors
    /// What the store says: [`AskError::Unavailable`], or [`AskError::Bug`] for a row that does not
    /// parse.
    pub async fn read<T, F>(&self, read: F) -> Result<T, AskError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let permits = Arc::clone(&self.shared.permits);
        let permit = permits.acquire_owned().await.map_err(|_| stopping())?;
        let shared = Arc::clone(&self.shared);
        // The permit goes along: this future may be dropped while the read still has the reader.
        let done = tokio::task::spawn_blocking(move || {
            let mut reader = shared.take()?;
            let result = read(&mut *reader);
            shared.put_back(reader);
            drop(permit);
            Some(result)
        });
        match done.await {
            Ok(Some(result)) => result.map_err(|error| unreadable(&error)),
            Ok(None) => Err(reader_lost()),
            Err(error) => Err(AskError::Bug(format!("a read came to no end: {error}"))),
        }
    }
}

impl Readers {
    /// As [`Self::read`] for a few rows that are looked up by their ids, on this very thread: they are
    /// mostly in memory, and handing the question to another thread and the answer back costs four
    /// wake-ups, which is many times the reading. What may read more than that belongs into `read`.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub async fn glance<T>(
        &self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError>,
    ) -> Result<T, AskError> {
        let _permit = self.shared.permits.acquire().await.map_err(|_| stopping())?;
        self.shared.with_reader(read)
    }

    /// Ends all readers, once what is being read has been. Whoever asks later is told that the
    /// daemon stops. The store can only be put away when nobody reads it any more.
    pub(super) async fn close(&self) {
        let all = u32::try_from(self.shared.readers).expect("a handful");
        // Closed meanwhile by somebody else: they are doing it.
        if let Ok(_permits) = self.shared.permits.acquire_many(all).await {
            self.shared.permits.close();
            self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// As [`Self::read`], on this thread, which is blocked for as long as it takes.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn read_blocking<T>(
        &self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError>,
    ) -> Result<T, AskError> {
        let _permit = parked::wait(self.shared.permits.acquire()).map_err(|_| stopping())?;
        self.shared.with_reader(read)
    }
}

impl Shared {
    /// Reads with one of them; whoever calls holds a permit.
    fn with_reader<T>(
        &self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError>,
    ) -> Result<T, AskError> {
        let Some(mut reader) = self.take() else { return Err(reader_lost()) };
        let result = read(&mut *reader);
        self.put_back(reader);
        result.map_err(|error| unreadable(&error))
    }

    fn take(&self) -> Option<Box<dyn Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, reader: Box<dyn Reader>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
    }
}

fn reader_lost() -> AskError {
    AskError::Bug("an earlier read panicked with its reader".to_owned())
}

/// What a store's error means for who asked.
pub(super) fn unreadable(error: &StoreError) -> AskError {
    let code = match error {
        StoreError::Full(_) => "disk_full",
        StoreError::Newer(_) => "newer_database",
        StoreError::Conflict | StoreError::Failed(_) => "store_failed",
        StoreError::Corrupt(_) => "store_damaged",
    };
    AskError::Unavailable { code, message: error.to_string(), retry_after_ms: DISK_RETRY_MS }
}
