//! Where a running org leaves word of itself, so that `tombolo org env` and its kin find it: one folder of the user's,
//! a file and a folder per running org in it.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Ready;

/// What is known of a running org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningFile {
    /// The ready line of the org.
    #[serde(flatten)]
    pub ready: Ready,
    /// The HTTP port, by which `--port` picks one of several.
    pub port: u16,
    /// The HTTPS port; it answers to `--port`, too.
    pub https_port: u16,
}

/// The orgs that run on this machine under this user, the youngest first. Files of processes that are gone are left out.
pub fn running() -> io::Result<Vec<RunningFile>> {
    let folder = match fs::read_dir(folder_path()?) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        folder => folder?,
    };
    let mut found = Vec::new();
    for entry in folder {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        // A file that another process is removing, or that is no file of ours, is no running org.
        let Ok(text) = fs::read(&path) else { continue };
        let Ok(file) = serde_json::from_slice::<RunningFile>(&text) else { continue };
        if is_alive(file.ready.pid) {
            let written = fs::metadata(&path).and_then(|meta| meta.modified()).ok();
            found.push((written, file));
        }
    }
    found.sort_by_key(|(written, file)| std::cmp::Reverse((*written, file.port)));
    Ok(found.into_iter().map(|(_, file)| file).collect())
}

/// The word one org leaves; taken back when dropped.
#[derive(Debug)]
pub(crate) struct RuntimeFiles {
    file: PathBuf,
    folder: PathBuf,
}

impl RuntimeFiles {
    /// Makes the folder of an org that listens on this port, and removes what dead processes left behind.
    pub(crate) fn create(port: u16) -> io::Result<Self> {
        let root = folder_path()?;
        make_private(&root)?;
        sweep(&root);
        let name = format!("org-{}-{port}", std::process::id());
        let folder = root.join(&name);
        make_private(&folder)?;
        Ok(Self { file: root.join(format!("{name}.json")), folder })
    }

    /// The org's own folder, only its user can look into.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Leaves word: from now on the org is found.
    pub(crate) fn announce(&self, running: &RunningFile) -> io::Result<()> {
        let unfinished = self.file.with_extension("new");
        write_private(&unfinished, &serde_json::to_vec_pretty(running)?)?;
        fs::rename(unfinished, &self.file)
    }
}

impl Drop for RuntimeFiles {
    fn drop(&mut self) {
        for result in [fs::remove_file(&self.file), fs::remove_dir_all(&self.folder)] {
            if let Err(error) = result
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::debug!(%error, "a runtime file stays behind");
            }
        }
    }
}

/// Writes a file that nobody else can read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

/// Removes what processes that are gone left in the folder.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix("org-")?.split(['-', '.']).next()?.parse().ok());
        if pid.is_some_and(|pid| !is_alive(pid)) {
            let path = entry.path();
            // Another org may be sweeping, too: what is gone is gone.
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

#[cfg(unix)]
fn folder_path() -> io::Result<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    if let Some(folder) = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir()) {
        return Ok(folder.join("tombolo"));
    }
    // There is no getuid() without unsafe code; what belongs to this process tells as well.
    let own = fs::metadata("/proc/self").or_else(|_| fs::metadata(std::env::var_os("HOME").unwrap_or_default()))?;
    Ok(std::env::temp_dir().join(format!("tombolo-{}", own.uid())))
}

#[cfg(not(unix))]
fn folder_path() -> io::Result<PathBuf> {
    Ok(std::env::temp_dir().join("tombolo"))
}

/// Makes a folder that only its user can look into, and refuses one that others can.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::symlink_metadata(folder)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
    }
    Ok(())
}

fn is_alive(pid: u32) -> bool {
    let processes = Path::new("/proc/self");
    // Where there is no /proc nothing is known, and the caller finds out when it connects.
    !processes.exists() || Path::new("/proc").join(pid.to_string()).exists()
}
