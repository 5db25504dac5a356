//! A parent changed: what its children show of it is read.

use super::{Shard, running::JobId};
use crate::sync::{Entry, Job, JobKind, Key, MappingIndex, Side, Stage};

impl Shard {
    /// A parent changed: the children's path fields are read.
    pub(super) fn fan_out(&mut self, entry: &Entry) {
        let Entry { news, .. } = entry;
        let Some(key) = &news.key else { return };
        let told =
            |name: &str| news.values.is_empty() || news.values.iter().any(|(told, _)| told.eq_ignore_ascii_case(name));
        self.read_children(&news.connection, &news.entity, key, told);
    }

    /// A row shows that a parent changed.
    pub(super) fn fan_out_row(&mut self, mapping: MappingIndex, key: &Key, changed: &[String]) {
        let end = &self.mapping(mapping).ends[Side::Left];
        let (connection, entity) = (end.connection.clone(), end.entity.clone());
        let told = |name: &str| changed.iter().any(|changed| changed.eq_ignore_ascii_case(name));
        self.read_children(&connection, &entity, key, told);
    }

    fn read_children(&mut self, connection: &str, entity: &str, key: &Key, told: impl Fn(&str) -> bool) {
        let mut found = Vec::new();
        for (index, mapping) in self.plan.mappings.iter().enumerate() {
            for path in mapping.fields.iter().filter_map(|pair| pair.path.as_ref()) {
                let parent = mapping.ends[Side::Left].connection == connection
                    && path.parent.eq_ignore_ascii_case(entity)
                    && told(&path.field);
                if parent && !found.iter().any(|(at, via)| *at == index && *via == path.via) {
                    found.push((index, path.via.clone()));
                }
            }
        }
        for (mapping, via) in found {
            let name = format!("children:{mapping}:{via}:{key}");
            let job = Job {
                kind: JobKind::Children,
                mapping,
                side: Side::Left,
                stage: Stage::Rows,
                after: None,
                since: None,
                rows: 0,
                found: 0,
                parent: Some((via, key.clone())),
                gap: None,
                began: self.now,
            };
            self.begin(name, job);
        }
    }

    pub(super) fn is_children(&self, (name, _): &JobId) -> bool {
        self.jobs.get(name).is_some_and(|running| running.job.kind == JobKind::Children)
    }

    /// Whether a job makes up for what was missed.
    pub(super) fn is_reconcile(&self, (name, _): &JobId) -> bool {
        self.jobs.get(name).is_some_and(|running| running.job.kind == JobKind::Reconcile)
    }
}
