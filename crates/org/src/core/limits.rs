//! Allocations by edition, counted over a rolling day. Counted, not enforced.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use tombolo_schema::ApiVersion;

use super::{Clock, LimitProfile};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    /// Requests to the data APIs.
    ApiRequests,
    /// Change events handed to subscribers.
    DeliveredEvents,
}

/// One line of the limits resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) max: i64,
    pub(crate) remaining: i64,
    /// Limits within the limit: `CreateCustom` of `PermissionSets`.
    pub(crate) parts: Vec<Limit>,
}

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 24 * 60;

/// Counts by the minute, for the last 24 hours.
#[derive(Debug)]
pub(crate) struct Limits {
    profile: LimitProfile,
    clock: Clock,
    counts: Mutex<BTreeMap<Counted, VecDeque<(i64, u64)>>>,
}

impl Limits {
    pub(crate) fn new(profile: LimitProfile, clock: Clock) -> Self {
        Self { profile, clock, counts: Mutex::default() }
    }

    pub(crate) fn profile(&self) -> LimitProfile {
        self.profile
    }

    /// Counts something that happened now.
    pub(crate) fn count(&self, what: Counted, times: u64) {
        let minute = self.clock.now_ms() / MINUTE_MS;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let minutes = counts.entry(what).or_default();
        match minutes.back_mut() {
            Some((last, sum)) if *last >= minute => *sum += times,
            _ => minutes.push_back((minute, times)),
        }
    }

    /// What was counted in the last 24 hours.
    pub(crate) fn used(&self, what: Counted) -> u64 {
        let minute = self.clock.now_ms() / MINUTE_MS;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let minutes = counts.entry(what).or_default();
        while minutes.front().is_some_and(|(at, _)| *at <= minute - DAY_MINUTES) {
            minutes.pop_front();
        }
        minutes.iter().map(|(_, sum)| sum).sum()
    }

    /// API requests used and allowed, as `Sforce-Limit-Info` tells.
    pub(crate) fn api_usage(&self) -> (u64, u64) {
        (self.used(Counted::ApiRequests), self.by_profile([5_000_000, 15_000, 100_000]) as u64)
    }

    /// Forgets every count.
    pub(crate) fn reset(&self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The limits resource of this API version (rest.md 6.1), in its order.
    pub(crate) fn table(&self, version: ApiVersion) -> Vec<Limit> {
        let (api_used, api_max) = self.api_usage();
        let delivered = self.used(Counted::DeliveredEvents);
        let rows = ALLOCATIONS.iter().filter(|row| row.versions.contains(&version.major()));
        rows.map(|row| {
            let used = match row.name {
                "DailyApiRequests" => api_used,
                "DailyDeliveredPlatformEvents" => delivered,
                _ => 0,
            };
            let max = if row.name == "DailyApiRequests" { api_max as i64 } else { self.by_profile(row.max) };
            let parts = match row.name {
                "PermissionSets" => vec![Limit { name: "CreateCustom", max: 1000, remaining: 1000, parts: Vec::new() }],
                _ => Vec::new(),
            };
            Limit { name: row.name, max, remaining: max - used as i64, parts }
        })
        .collect()
    }

    fn by_profile(&self, [unlimited, developer, enterprise]: [i64; 3]) -> i64 {
        match self.profile {
            LimitProfile::Unlimited => unlimited,
            LimitProfile::Developer => developer,
            LimitProfile::Enterprise => enterprise,
        }
    }
}

struct Allocation {
    name: &'static str,
    /// Unlimited, developer, enterprise.
    max: [i64; 3],
    versions: std::ops::RangeInclusive<u16>,
}

const fn since(version: u16, name: &'static str, max: [i64; 3]) -> Allocation {
    Allocation { name, max, versions: version..=u16::MAX }
}

const fn until(version: u16, name: &'static str, max: [i64; 3]) -> Allocation {
    Allocation { name, max, versions: 0..=version }
}

const fn always(name: &'static str, max: i64) -> Allocation {
    since(0, name, [max; 3])
}

const ALLOCATIONS: &[Allocation] = &[
    always("ActiveScratchOrgs", 6),
    always("AnalyticsExternalDataSizeMB", 40_960),
    always("BOZosCalloutHourlyLimit", 20_000),
    always("ConcurrentAsyncGetReportInstances", 200),
    always("ConcurrentEinsteinDataInsightsStoryCreation", 5),
    always("ConcurrentEinsteinDiscoveryStoryCreation", 2),
    always("ConcurrentSyncReportRuns", 20),
    always("DailyAnalyticsDataflowJobExecutions", 60),
    always("DailyAnalyticsUploadedFilesSizeMB", 51_200),
    always("DailyApiRequests", 0),
    always("DailyAsyncApexExecutions", 250_000),
    since(56, "DailyAsyncApexTests", [500; 3]),
    since(49, "DailyBulkApiBatches", [15_000; 3]),
    until(48, "DailyBulkApiRequests", [15_000; 3]),
    always("DailyBulkV2QueryFileStorageMB", 976_562),
    since(47, "DailyBulkV2QueryJobs", [10_000; 3]),
    since(0, "DailyDeliveredPlatformEvents", [50_000, 10_000, 25_000]),
    always("DailyDurableGenericStreamingApiEvents", 10_000),
    since(37, "DailyDurableStreamingApiEvents", [1_000_000, 10_000, 200_000]),
    always("DailyEinsteinDataInsightsStoryCreation", 1000),
    always("DailyEinsteinDiscoveryPredictAPICalls", 50_000),
    always("DailyEinsteinDiscoveryPredictionsByCDC", 500_000),
    always("DailyEinsteinDiscoveryStoryCreation", 100),
    since(53, "DailyFunctionsApiCallLimit", [50_000; 3]),
    always("DailyGenericStreamingApiEvents", 10_000),
    always("DailyScratchOrgs", 6),
    always("DailyStandardVolumePlatformEvents", 10_000),
    since(0, "DailyStreamingApiEvents", [1_000_000, 10_000, 200_000]),
    always("DailyWorkflowEmails", 195),
    since(0, "DataStorageMB", [10_240, 5, 10_240]),
    since(0, "DurableStreamingApiConcurrentClients", [2000, 20, 1000]),
    since(0, "FileStorageMB", [10_240, 20, 10_240]),
    always("HourlyAsyncReportRuns", 1200),
    always("HourlyDashboardRefreshes", 200),
    always("HourlyDashboardResults", 5000),
    always("HourlyDashboardStatuses", 999_999_999),
    always("HourlyLongTermIdMapping", 100_000),
    always("HourlyManagedContentPublicRequests", 50_000),
    always("HourlyODataCallout", 1000),
    always("HourlyPublishedPlatformEvents", 50_000),
    always("HourlyPublishedStandardVolumePlatformEvents", 1000),
    always("HourlyShortTermIdMapping", 100_000),
    always("HourlySyncReportRuns", 500),
    always("HourlyTimeBasedWorkflow", 50),
    always("MassEmail", 10),
    always("MonthlyEinsteinDiscoveryStoryCreation", 500),
    until(47, "MonthlyPlatformEvents", [0; 3]),
    since(48, "MonthlyPlatformEventsUsageEntitlement", [0; 3]),
    always("Package2VersionCreates", 6),
    always("Package2VersionCreatesWithoutValidation", 500),
    always("PermissionSets", 1500),
    always("PrivateConnectOutboundCalloutHourlyLimitMB", 0),
    always("SingleEmail", 15),
    since(0, "StreamingApiConcurrentClients", [2000, 20, 1000]),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::core::ClockMode;

    fn limits() -> Limits {
        Limits::new(LimitProfile::Developer, Clock::starting_at(ClockMode::Manual, Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn counts_leave_after_a_day() {
        let limits = limits();
        limits.count(Counted::ApiRequests, 2);
        limits.clock.advance(Duration::from_secs(12 * 3600));
        limits.count(Counted::ApiRequests, 3);
        assert_eq!(limits.api_usage(), (5, 15_000));
        limits.clock.advance(Duration::from_secs(12 * 3600));
        assert_eq!(limits.api_usage().0, 3);
    }

    #[test]
    fn keys_follow_the_version() {
        let limits = limits();
        limits.count(Counted::ApiRequests, 1);
        let names = |version| limits.table(ApiVersion::new(version)).iter().map(|l| l.name).collect::<Vec<_>>();
        assert!(names(66).contains(&"DailyBulkApiBatches") && !names(66).contains(&"DailyBulkApiRequests"));
        assert!(names(45).contains(&"DailyBulkApiRequests") && !names(45).contains(&"DailyBulkV2QueryJobs"));
        let table = limits.table(ApiVersion::DEFAULT);
        let api = table.iter().find(|l| l.name == "DailyApiRequests").unwrap();
        assert_eq!((api.max, api.remaining), (15_000, 14_999));
        assert!(names(66).is_sorted(), "the resource lists them by name");
    }
}
