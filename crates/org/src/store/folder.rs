//! The folder that the database lies in, and the lock that keeps a second org out of it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::OpenError;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    temporary: bool,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl Folder {
    pub(super) fn open(chosen: Option<&Path>) -> Result<Self, OpenError> {
        let (path, temporary) = chosen.map_or_else(|| (temporary_path(), true), |path| (path.to_owned(), false));
        let failed = |source| OpenError::Folder { path: path.display().to_string(), source };
        if temporary {
            make_private(&path).map_err(failed)?;
        } else {
            fs::create_dir_all(&path).map_err(failed)?;
        }
        let lock = File::create(path.join("org.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, temporary, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.display().to_string() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join("org.db")
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a temporary folder stays behind");
        }
    }
}

fn temporary_path() -> PathBuf {
    std::env::temp_dir().join(format!("tombolo-org-{}-{:016x}", std::process::id(), fastrand::u64(..)))
}

/// Made anew, for its owner only: the data is nobody else's.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
