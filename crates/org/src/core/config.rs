//! What an org is started with.

use std::path::PathBuf;

/// Where the data lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In a temporary folder that goes with the process.
    Memory,
    /// In this folder, which is made if it is not there, and found again by the next start.
    Directory(PathBuf),
}

/// The objects that deliver change events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CdcSelection {
    /// None, as in a new org.
    None,
    /// Every object that has change events; counts as the add-on.
    All,
    /// These. More than five need the unlimited profile.
    Named(Vec<String>),
}

/// Which edition's allocations apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitProfile {
    /// As generous as a full sandbox.
    Unlimited,
    /// Developer Edition.
    Developer,
    /// Enterprise Edition.
    Enterprise,
}

/// How the org's time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMode {
    /// With real time, and may be set forward.
    Offset,
    /// Only when told.
    Manual,
}

/// Everything the core wants to know at its start.
#[derive(Debug, Clone)]
pub(crate) struct CoreConfig {
    pub(crate) storage: Storage,
    /// Folders of SFDX projects.
    pub(crate) projects: Vec<PathBuf>,
    /// `sf data tree` plans.
    pub(crate) imports: Vec<PathBuf>,
    pub(crate) cdc: CdcSelection,
    pub(crate) limits: LimitProfile,
    pub(crate) clock: ClockMode,
    pub(crate) seed: Option<u64>,
}

impl Default for CoreConfig {
    fn default() -> Self {
        Self {
            storage: Storage::Memory,
            projects: Vec::new(),
            imports: Vec::new(),
            cdc: CdcSelection::None,
            limits: LimitProfile::Developer,
            clock: ClockMode::Offset,
            seed: None,
        }
    }
}
