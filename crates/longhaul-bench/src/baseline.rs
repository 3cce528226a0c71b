//! What the disk itself costs: the least that any durable promise must pay.

use anyhow::Result;
use fs_err::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// About what one submit must put on the disk.
const RECORD_BYTES: usize = 300;

/// A file that grows by one synced record at a time.
pub(crate) struct SyncedAppend(File);

impl SyncedAppend {
    /// The file lies in `folder`, so that it meets the same disk as what it is compared with.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("synced-append");
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    /// Appends one record and returns once it is on the disk.
    pub(crate) fn append(&mut self) -> Result<()> {
        self.0.write_all(&[b'x'; RECORD_BYTES])?;
        self.0.sync_data()?;
        Ok(())
    }
}
