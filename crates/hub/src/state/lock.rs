//! One process at a time on a SQLite state: a lock on a file beside it, released by the system when its holder dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// The lock. It holds until it is dropped or the process ends, however it ends. A database on a server needs none: there
/// the lease of each shard keeps order.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: Option<File>,
}

impl FileLock {
    /// For a database on a server.
    pub(super) const fn none() -> Self {
        Self { _file: None }
    }

    /// Takes the lock of a database.
    ///
    /// The file stays when the lock is gone: to remove it would let two processes lock two files of one name.
    pub(super) fn take(database: &Path) -> Result<Self> {
        let path = beside(database);
        let failed = |error| Error::failed(format!("cannot open the lock file {}", path.display())).with_source(error);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => {
                let text = format!("another process works with the state {}", database.display());
                Err(Error::usage(text).with_hint("stop it first, or put the state on PostgreSQL or MySQL"))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// The one name of a file, so that two names of it meet in one lock.
pub(super) fn real_path(path: &Path) -> Result<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let missing = |error| Error::failed(format!("there is no folder {}", folder.display())).with_source(error);
    let folder = folder.canonicalize().map_err(missing)?;
    let name = path.file_name().ok_or_else(|| Error::usage("the state names no file"))?;
    let path = folder.join(name);
    Ok(path.canonicalize().unwrap_or(path))
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".tombolo-state-lock");
    database.with_file_name(name)
}
