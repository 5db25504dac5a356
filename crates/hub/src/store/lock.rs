//! One mirror at a time: a lock on a file beside the SQLite database, released by the system when its holder dies.

use std::fs::File;
#[cfg(feature = "sqlite")]
use std::{
    fs::{OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

#[cfg(feature = "sqlite")]
use crate::{Error, Result};

/// The lock. It holds until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

#[cfg(feature = "sqlite")]
impl FileLock {
    /// Takes the lock of a database.
    ///
    /// The file stays when the lock is gone: to remove it would let two processes lock two files of one name.
    pub(super) fn take(database: &Path) -> Result<Self> {
        let path = Self::path(database);
        let failed = |error| Error::failed(format!("cannot open the lock file {}", path.display())).with_source(error);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let text = format!("another mirror is writing to {}", database.display());
                Err(Error::usage(text).with_hint("stop it first; a database has one mirror at a time"))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    fn path(database: &Path) -> PathBuf {
        let mut name = database.file_name().unwrap_or_default().to_owned();
        name.push(".tombolo-lock");
        database.with_file_name(name)
    }
}
