//! The mark that a write carries, so that its echo is known.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which write: the shard, the epoch of its holder, and the number of the batch within the epoch.
///
/// Numbers only, because it can be read by whoever administers the org.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// The shard.
    pub shard: u64,
    /// How often the shard had changed hands.
    pub epoch: u64,
    /// The batch.
    pub batch: u64,
}

impl Tag {
    /// What comes before and after in the writes of one shard.
    pub const fn age(self) -> (u64, u64) {
        (self.epoch, self.batch)
    }

    /// The tag in a `changeOrigin`, wherever it stands in it: `com/salesforce/api/rest/66.0;client=tombolo.1.2.3`.
    pub fn find(origin: &str) -> Option<Self> {
        let start = origin.find("tombolo.")? + "tombolo.".len();
        let end = origin[start..].find(|c: char| c != '.' && !c.is_ascii_digit());
        let mut parts = origin[start..end.map_or(origin.len(), |end| start + end)].split('.');
        let mut number = || parts.next()?.parse().ok();
        Some(Self { shard: number()?, epoch: number()?, batch: number()? })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tombolo.{}.{}.{}", self.shard, self.epoch, self.batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_where_salesforce_puts_it() {
        let tag = Tag { shard: 1, epoch: 22, batch: 333 };
        assert_eq!(Tag::find(&format!("com/salesforce/api/rest/66.0;client={tag}")), Some(tag));
        assert_eq!(Tag::find(&format!("com/salesforce/api/soap/64.0;client={tag};x")), Some(tag));
        for foreign in ["", "com/salesforce/api/rest/66.0;client=payroll", "client=tombolo.1.2", "tombolo.a.b.c"] {
            assert_eq!(Tag::find(foreign), None, "{foreign}");
        }
    }
}
