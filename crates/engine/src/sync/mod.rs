//! Two systems of record kept in step: field-level three-way merge, tagged writes, nothing overwritten blindly.
//!
//! A [`Shard`] is told what happens ([`Input`]) and says what to do ([`Effect`]). What it puts away goes through
//! [`Transaction`]s, so that it can be stopped at any moment and built again from [`Start`].

mod brake;
mod budget;
mod canon;
mod counter;
mod effect;
mod filter;
mod link;
mod mapping;
mod mutation;
mod news;
mod record;
mod request;
mod settings;
mod shard;
mod side;
mod state;
mod stored;
mod tag;

pub use brake::Brake;
pub use budget::{Allowance, Budget, Forecast, Ledger, Reservation, Reserved};
pub use canon::{Canon, Precision};
pub use counter::{Added, Counter, Shown};
pub use effect::{Command, Effect, Input};
pub use filter::{Filter, FilterError};
pub use link::{Fate, Field, Flight, Held, Link, Open, Parked, Presence, Reread, Rewriting, Sent, SentState, Taken};
pub use mapping::{
    Connection, DeleteConflict, Deletes, End, FieldPair, Flow, Mapping, MappingIndex, ParentPath, Plan, Policy,
    Reference, Style,
};
#[cfg(feature = "mutations")]
pub use mutation::Mutation;
#[cfg(not(feature = "mutations"))]
pub(crate) use mutation::Mutation;
pub use news::{Delivery, Key, News, NewsKind, Row, SourceId, Values};
pub use request::{Answer, Batch, Choice, Class, LinkId, Operation, Outcome, Read, Refusal, Write};
pub use settings::{Rhythm, Settings};
pub use shard::{Counts, MADE_ANEW, Shard};
pub use side::Side;
pub use state::{
    Conflict, ConflictKind, DeadLetter, Entry, Gap, History, Job, JobKind, LinkRow, Load, Loaded, MappingState,
    SourceState, Stage, Start, Step, Transaction,
};
pub use stored::Stored;
pub use tag::Tag;
