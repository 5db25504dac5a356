//! Writes. One pipeline, whatever door a write came through:
//! load (names, types, formats, lengths, picklists, references) → defaults → required fields → unique values →
//! save → change events → commit.

mod auto_number;
mod automation;
pub(crate) mod bin;
mod check;
mod condition;
mod convert;
mod delete;
mod derived;
mod faults;
mod insert;
mod load;
mod merge;
mod number;
mod read;
mod request;
mod update;
mod value;
mod work;

pub(crate) use bin::KEPT;
pub(crate) use condition::{Condition, Mark, Verdict};
pub(crate) use convert::{Conversion, Converted};
pub(crate) use faults::{PRECONDITION_FAILED, no_such_object};
pub(crate) use insert::{defaults, insert_record as insert_one};
pub(crate) use merge::{Merge, Merged};
pub(crate) use read::Looked;
pub(crate) use request::{Found, Key, Selection, Target};
pub(crate) use work::Work;
