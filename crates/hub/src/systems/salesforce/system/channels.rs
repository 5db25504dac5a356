//! Which entities of the plan are listened to, and what is wanted of them.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use serde_json::Value as Json;
use tokio::time::Instant;
use tombolo_engine::sync::{Mapping, Plan, Side, Style};

use super::{HOLDS, Shared, news::Heard, object::Selection};
use crate::{
    Error, Result,
    systems::{salesforce::errors::failed, system::ChangeEvents},
};

/// Every channel's members; the selected entity is named like its change event (`streaming.md 2.6`).
const MEMBERS: &str = "tooling/query?q=SELECT%20SelectedEntity%20FROM%20PlatformEventChannelMember";

impl Shared {
    /// Describes what the plan maps here, and settles which objects' changes are listened to.
    pub(super) async fn prepare(&self, plan: Arc<Plan>) -> Result<()> {
        let mut listened = BTreeSet::new();
        for (mapping, side) in self.ends(&plan) {
            let end = &mapping.ends[side];
            let unknown = || {
                Error::usage(format!("the org has no object `{}`", end.entity))
                    .with_hint("`tombolo describe` lists the objects; custom ones end in __c")
            };
            let entity = self.describe(&end.entity).await?.ok_or_else(unknown)?;
            if end.style == Style::Tagged {
                listened.insert(entity.name);
            }
        }
        for parent in self.parents(&plan) {
            // A parent that delivers no change events is heard of when the record is read.
            let entity = self.describe(&parent).await?;
            if let Some(entity) = entity.filter(|entity| entity.change_events == ChangeEvents::Selected) {
                listened.insert(entity.name);
            }
        }
        self.learn(|learned| {
            learned.plan = Some(plan);
            learned.listened = listened;
        });
        Ok(())
    }

    /// The sides of mappings that are this org.
    fn ends<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (&'a Mapping, Side)> {
        let ends = plan.mappings.iter().flat_map(|mapping| Side::BOTH.map(|side| (mapping, side)));
        ends.filter(|(mapping, side)| mapping.ends[*side].connection == self.connection)
    }

    /// The objects whose fields are read through their children.
    fn parents(&self, plan: &Plan) -> Vec<String> {
        let left = plan.mappings.iter().filter(|mapping| mapping.ends[Side::Left].connection == self.connection);
        let paths = left.flat_map(|mapping| &mapping.fields).filter_map(|pair| pair.path.as_ref());
        let mut parents: Vec<String> = Vec::new();
        for path in paths {
            if !parents.iter().any(|known| known.eq_ignore_ascii_case(&path.parent)) {
                parents.push(path.parent.clone());
            }
        }
        parents
    }

    /// What is wanted of an object's events; none if it is not listened to any more.
    pub(super) fn heard(&self, entity: &str) -> Option<Heard> {
        let known = self.learned(|learned| {
            let entity = learned.listened.get(entity)?;
            let (object, _) = learned.objects.get(&entity.to_ascii_lowercase())?;
            Some((learned.plan.clone()?, entity.clone(), object.clone()))
        });
        let (plan, entity, object) = known?;
        let fields = self.fields(&plan, &entity);
        Some(Heard { connection: self.connection.clone(), entity, object, fields })
    }

    /// The fields of an entity that any mapping wants, those that children read through it included.
    fn fields(&self, plan: &Plan, entity: &str) -> HashMap<String, String> {
        let mut fields = HashMap::new();
        let mut want = |name: &str| {
            fields.entry(name.to_ascii_lowercase()).or_insert_with(|| name.to_owned());
        };
        for (mapping, side) in self.ends(plan) {
            if mapping.ends[side].entity.eq_ignore_ascii_case(entity) {
                mapping.heard(side).for_each(&mut want);
            }
            if side == Side::Left {
                let paths = mapping.fields.iter().filter_map(|pair| pair.path.as_ref());
                paths.filter(|path| path.parent.eq_ignore_ascii_case(entity)).for_each(|path| want(&path.field));
            }
        }
        fields
    }

    /// Which entities deliver change events. Asked once a minute at most.
    pub(super) async fn selection(&self) -> Result<Arc<Selection>> {
        let mut kept = self.selection.lock().await;
        if let Some((at, selection)) = &*kept
            && at.elapsed() < HOLDS
        {
            return Ok(selection.clone());
        }
        let objects = self.client.describe_global().await;
        let objects = objects.map_err(|error| failed("cannot list the org's objects", error))?.objects;
        let selection = Arc::new(Selection {
            selected: self.selected().await?,
            objects: objects.into_iter().map(|object| object.name).collect(),
        });
        *kept = Some((Instant::now(), selection.clone()));
        Ok(selection)
    }

    /// The names of the selected change events; none if the org does not tell.
    async fn selected(&self) -> Result<Option<HashSet<String>>> {
        let mut names = HashSet::new();
        let mut next = Some(format!("/services/data/v{}/{MEMBERS}", self.client.api_version()));
        while let Some(path) = next {
            let request = http::Request::get(&path)
                .body(bytes::Bytes::new())
                .map_err(|error| Error::failed("cannot ask which entities are selected").with_source(error))?;
            let answer = match self.client.request(request).await {
                Ok(answer) => answer,
                Err(error) if error.is_retryable() => {
                    return Err(failed("cannot ask which entities are selected for change events", error));
                }
                Err(error) => {
                    tracing::debug!(%error, "the org does not tell which entities are selected for change events");
                    return Ok(None);
                }
            };
            let Ok(page) = serde_json::from_slice::<Json>(answer.body()) else { return Ok(None) };
            let records = page.get("records").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            let name = |record: &Json| Some(record.get("SelectedEntity")?.as_str()?.to_owned());
            names.extend(records.iter().filter_map(name));
            next = page.get("nextRecordsUrl").and_then(Json::as_str).map(str::to_owned);
        }
        Ok(Some(names))
    }
}
