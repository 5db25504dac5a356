//! Conditions under which a row is read or written: not if it changed since, only if it did (rest.md 2.8).

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;

use super::faults;
use crate::{
    core::{ObjectDef, record::Result},
    store::Cell,
};

/// What has to be true of a row. Moments count in whole seconds, as rows are stamped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) modified_since: Option<Timestamp>,
    pub(crate) unmodified_since: Option<Timestamp>,
    /// One of these tags; `*` is any.
    pub(crate) matching: Option<Vec<String>>,
    /// None of these tags.
    pub(crate) not_matching: Option<Vec<String>>,
}

/// What a row can be recognised by later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) modified: Option<Timestamp>,
    /// Of Accounts only.
    pub(crate) tag: Option<String>,
}

/// What follows from a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    /// What the caller has is still true.
    NotModified,
    Failed,
}

impl Mark {
    pub(super) fn of(object: &ObjectDef, row: &[Cell]) -> Self {
        let stamps = ["LastModifiedDate", "SystemModstamp", "CreatedDate"];
        let stamp = stamps.into_iter().find_map(|name| match row.get(object.column_of(name)?)? {
            Cell::Integer(ms) => Timestamp::from_second(ms.div_euclid(1000)).ok(),
            _ => None,
        });
        let tag = (&*object.name == "Account").then(|| tag(row));
        Self { modified: stamp, tag }
    }
}

fn tag(row: &[Cell]) -> String {
    let digest = digest::digest(&digest::SHA256, format!("{row:?}").as_bytes());
    STANDARD.encode(&digest.as_ref()[..20])
}

impl Condition {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Judges what was read.
    pub(crate) fn of_read(&self, mark: &Mark) -> Verdict {
        if self.has_failed(mark) {
            return Verdict::Failed;
        }
        if self.is_unchanged(mark) { Verdict::NotModified } else { Verdict::Met }
    }

    /// Refuses a write to a row that is not as the caller thinks.
    pub(super) fn check_write(&self, object: &ObjectDef, row: &[Cell]) -> Result<()> {
        if self.is_none() {
            return Ok(());
        }
        let mark = Mark::of(object, row);
        if self.has_failed(&mark) || self.is_unchanged(&mark) {
            return Err(faults::precondition_failed().into());
        }
        Ok(())
    }

    fn has_failed(&self, mark: &Mark) -> bool {
        let changed = self.unmodified_since.zip(mark.modified).is_some_and(|(since, modified)| modified > since);
        let other = self.matching.as_ref().zip(mark.tag.as_ref()).is_some_and(|(wanted, tag)| !holds(wanted, tag));
        changed || other
    }

    fn is_unchanged(&self, mark: &Mark) -> bool {
        let unchanged = self.modified_since.zip(mark.modified).is_some_and(|(since, modified)| modified <= since);
        let same = self.not_matching.as_ref().zip(mark.tag.as_ref()).is_some_and(|(known, tag)| holds(known, tag));
        unchanged || same
    }
}

fn holds(tags: &[String], tag: &str) -> bool {
    tags.iter().any(|given| given == "*" || given == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let mark = Mark { modified: at(100), tag: Some("t".to_owned()) };
        let tags = |tag: &str| Some(vec![tag.to_owned()]);
        let none = Condition::default;
        for (condition, expected) in [
            (none(), Verdict::Met),
            (Condition { modified_since: at(99), ..none() }, Verdict::Met),
            (Condition { modified_since: at(100), ..none() }, Verdict::NotModified),
            (Condition { unmodified_since: at(100), ..none() }, Verdict::Met),
            (Condition { unmodified_since: at(99), ..none() }, Verdict::Failed),
            (Condition { matching: tags("t"), ..none() }, Verdict::Met),
            (Condition { matching: tags("*"), ..none() }, Verdict::Met),
            (Condition { matching: tags("u"), ..none() }, Verdict::Failed),
            (Condition { not_matching: tags("t"), ..none() }, Verdict::NotModified),
            (Condition { not_matching: tags("u"), ..none() }, Verdict::Met),
        ] {
            assert_eq!(condition.of_read(&mark), expected, "{condition:?}");
        }
    }
}
