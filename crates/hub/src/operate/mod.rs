//! What a person asks of a hub, running or not: is the file right, what would be written, how does it stand, do this.
//!
//! What is only read comes straight from the state store. What is asked of a running hub is left there for it, and is
//! done when it runs.

pub(crate) mod check;
mod desk;
mod history;
mod ledger;
mod preview;
mod record;
mod rehearsal;
mod reload;
mod status;
#[cfg(test)]
mod tests;
mod uninstall;

pub use check::{Checked, MappingSummary, check};
pub use desk::{Asked, Desk, Retry};
pub use history::{RecordHistory, StepView};
pub use ledger::{Cause, ConflictView, DeadLetterView, DeadLetters};
pub use preview::{Planned, PlannedKind, Preview, plan};
pub use record::RecordSide;
pub use reload::{Reload, reload};
pub use status::{BudgetView, GapView, HubStatus, JobView, MappingStatus, SideStatus, SourceView, Usage};
pub use uninstall::{Uninstalled, uninstall};

/// Whose records they are, until there are tenants.
pub(crate) const TENANT: &str = "default";
