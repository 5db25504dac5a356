//! What numbers in the state stand for: mappings and field lines are known there by their places in the file. A file
//! whose places changed would take one field for another, so it is refused.

use serde::{Deserialize, Serialize};
use tombolo_engine::sync::Plan;

use crate::{Error, Result, state::State};

/// A mapping: its ends, and the names of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shape {
    mapping: String,
    ends: [String; 2],
    lines: Vec<[String; 2]>,
}

/// The mappings of a plan, in order.
fn shapes(plan: &Plan) -> Vec<Shape> {
    let shape = |mapping: &tombolo_engine::sync::Mapping| Shape {
        mapping: mapping.name.clone(),
        ends: mapping.ends.each_ref().map(|end| format!("{}.{}", end.connection, end.entity)),
        lines: mapping.fields.iter().map(|pair| pair.names.clone()).collect(),
    };
    plan.mappings.iter().map(shape).collect()
}

/// Compares the plan with what the state knows, and keeps it.
pub(super) async fn check(state: &dyn State, plan: &Plan) -> Result<()> {
    let known = compare(state, plan).await?;
    let new = shapes(plan);
    if new.len() > known {
        let text = serde_json::to_string(&new).map_err(unread)?;
        state.keep_shape(state.shard(&plan.tenant).await?, &text).await?;
    }
    Ok(())
}

/// Compares the plan with what the state knows; how many mappings that is. Mappings may come and go at the end of the
/// file; policies, filters and settings may change anywhere.
pub(crate) async fn compare(state: &dyn State, plan: &Plan) -> Result<usize> {
    let shard = state.shard(&plan.tenant).await?;
    let (known, new) = (state.shape(shard).await?, shapes(plan));
    let known: Vec<Shape> = known.map_or(Ok(Vec::new()), |text| serde_json::from_str(&text)).map_err(unread)?;
    if let Some((old, new)) = known.iter().zip(&new).find(|(old, new)| old != new) {
        return Err(changed(old, new));
    }
    Ok(known.len())
}

fn unread(error: serde_json::Error) -> Error {
    Error::failed("the state's list of mappings cannot be read").with_source(error)
}

fn changed(old: &Shape, new: &Shape) -> Error {
    let text = if old.mapping != new.mapping {
        format!("the mapping `{}` stands where the state has `{}`", new.mapping, old.mapping)
    } else if old.ends != new.ends {
        format!(
            "the mapping `{}` was between {} and is between {} now",
            new.mapping,
            old.ends.join(" and "),
            new.ends.join(" and ")
        )
    } else {
        format!("the lines of the mapping `{}` are others than those that the state knows", new.mapping)
    };
    Error::usage(text).with_hint(
        "mappings can be added at the end of the file; any other change of mappings or lines needs a new `state` for now, \
         and `match` lines to join again what is there",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tombolo_engine::sync::Canon;

    use super::*;
    use crate::{
        ErrorKind,
        state::memory::MemoryState,
        systems::conformance::{plan, plan_of},
    };

    #[tokio::test]
    async fn what_the_state_knows_by_its_place_keeps_it() {
        let state = MemoryState::default();
        let text = Canon::Text(None);
        let two = plan_of(None, "contacts", &[("name", text), ("email", text)]);
        check(&state, &two).await.unwrap();
        check(&state, &two).await.unwrap();
        for (other, said) in [
            (plan_of(None, "contacts", &[("email", text), ("name", text)]), "the lines of the mapping `contact`"),
            (plan_of(None, "contacts", &[("name", text)]), "the lines of the mapping `contact`"),
            (plan_of(None, "people", &[("name", text), ("email", text)]), "was between crm.Contact and app.contacts"),
        ] {
            let refused = check(&state, &other).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Usage);
            assert!(refused.to_string().contains(said), "{refused}");
        }
        // At the end something may come and go.
        let mut more = Arc::unwrap_or_clone(two.clone());
        more.mappings.push(plan(None).mappings[0].clone());
        check(&state, &more).await.unwrap();
        check(&state, &two).await.unwrap();
        more.mappings[1].name = "other".to_owned();
        assert!(check(&state, &more).await.unwrap_err().to_string().contains("`other` stands where the state has"));
    }
}
