//! The engine's requests, done.

use tombolo_engine::mirror::{Answer, Request, Write, Written};

use super::worker::Desk;
use crate::{
    Result,
    store::{Applied, Committed, failpoint_names},
    systems::Entity,
};

/// What a request came to, and what a write did.
pub(super) struct Done {
    pub(super) answer: Answer,
    pub(super) written: Option<(Box<Write>, Committed)>,
}

/// Does what the engine asks for.
pub(super) async fn perform(desk: Desk, entity: Entity, request: Request) -> Result<Done> {
    let (source, store) = (&desk.source, &desk.store);
    let answer = match request {
        Request::Read(ids) => Answer::Rows(source.read(&entity, &ids).await?),
        Request::Page { after, bin } => {
            let (rows, last) = source.page(&entity, after, bin).await?;
            Answer::Page { rows, last }
        }
        Request::Deleted(since) => {
            let deletes = source.deleted(&entity, since).await?;
            let ids = store.live_among(&entity.table, &deletes.ids).await?;
            Answer::Deleted { ids, until: deletes.until, complete: deletes.complete }
        }
        Request::List(after) => {
            let (entries, last) = source.list(&entity, after).await?;
            Answer::Listed { entries, last }
        }
        Request::Stored => Answer::Stored(store.live(&entity.table).await?),
        Request::Write(write) => {
            let committed = store.commit(&entity.table, &write).await?;
            let answer = Answer::Written(written(&committed));
            return Ok(Done { answer, written: Some((write, committed)) });
        }
    };
    desk.failpoints.reach(failpoint_names::ANSWERED)?;
    Ok(Done { answer, written: None })
}

fn written(committed: &Committed) -> Written {
    let deleted = committed.applied.iter().filter(|(_, applied)| *applied == Applied::Deleted).count();
    Written {
        changed: committed.applied.iter().map(|(id, _)| *id).collect(),
        deleted: deleted as u64,
        stale: committed.stale.clone(),
    }
}
