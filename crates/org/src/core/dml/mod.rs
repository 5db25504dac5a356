//! Writes. One pipeline, whatever door a write came through:
//! load (names, types, formats, lengths, picklists, references) → defaults → required fields → unique values →
//! save → change events → commit.

mod auto_number;
pub(crate) mod bin;
mod check;
mod delete;
mod derived;
mod faults;
mod insert;
mod load;
mod number;
mod read;
mod request;
mod update;
mod value;
mod work;

pub(crate) use bin::KEPT;
pub(crate) use faults::no_such_object;
pub(crate) use insert::{defaults, insert_record as insert_one};
pub(crate) use request::{Found, Selection, Target};
pub(crate) use work::Work;
