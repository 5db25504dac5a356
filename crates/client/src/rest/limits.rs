//! The org's allocations.

use serde_json::{Map, Value};

use crate::{Client, Result, request::describe};

/// The API calls of the org in the last 24 hours, from the `Sforce-Limit-Info` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiUsage {
    /// Calls made.
    pub used: u64,
    /// Calls allowed.
    pub max: u64,
}

impl ApiUsage {
    /// Reads `api-usage=18/5000`, which an app's own numbers may follow.
    pub(crate) fn from_header(text: &str) -> Option<Self> {
        let numbers = text.split(';').find_map(|part| part.trim().strip_prefix("api-usage="))?;
        let (used, max) = numbers.split_once('/')?;
        Some(Self { used: used.trim().parse().ok()?, max: max.trim().parse().ok()? })
    }
}

/// One allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How much there is.
    pub max: i64,
    /// How much is left; may be negative.
    pub remaining: i64,
}

/// The org's allocations by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    raw: Map<String, Value>,
}

impl Limits {
    /// The allocation with this name, such as `DailyApiRequests`.
    pub fn get(&self, name: &str) -> Option<Limit> {
        let entry = self.raw.get(name)?;
        Some(Limit { max: entry.get("Max")?.as_i64()?, remaining: entry.get("Remaining")?.as_i64()? })
    }

    /// All allocations, in the order of the answer.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Limit)> {
        self.raw.keys().filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }

    /// The answer as it came.
    pub fn raw(&self) -> &Map<String, Value> {
        &self.raw
    }
}

impl Client {
    /// The org's allocations. They lag by up to five minutes.
    pub async fn limits(&self) -> Result<Limits> {
        Ok(Limits { raw: self.read(describe::limits(self.api_version())?).await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_header_says() {
        for (text, expect) in [
            ("api-usage=18/5000", Some((18, 5000))),
            ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)", Some((25, 5000))),
            ("per-app-api-usage=17/250(appName=x);api-usage=1/2", Some((1, 2))),
            ("api-usage=x/5000", None),
            ("", None),
        ] {
            assert_eq!(ApiUsage::from_header(text).map(|usage| (usage.used, usage.max)), expect, "{text}");
        }
    }

    #[test]
    fn nested_entries_are_let_be() {
        let raw = serde_json::json!({
            "DailyApiRequests": {"Max": 15000, "Remaining": 14953, "Some App": {"Max": 0, "Remaining": 0}},
            "MonthlyPlatformEventsUsageEntitlement": {"Max": 0, "Remaining": -3},
            "Odd": 7,
        });
        let limits = Limits { raw: raw.as_object().cloned().unwrap() };
        assert_eq!(limits.get("DailyApiRequests"), Some(Limit { max: 15000, remaining: 14953 }));
        assert_eq!(limits.iter().count(), 2);
    }
}
