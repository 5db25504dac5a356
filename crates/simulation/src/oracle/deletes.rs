//! A delete is a decision like any other: it is carried out, or written down why not.

use tombolo_engine::sync::{ConflictKind, Side};

use super::{Court, Violation};
use crate::{
    Engine,
    ledger::{Author, Commit, CommitKind},
    moment::shown,
    plan,
};

pub(super) fn judge<E: Engine>(court: &Court<'_, E>) -> Vec<Violation> {
    let commits = court.world.ledger.commits.iter();
    let deletes =
        commits.filter(|commit| commit.kind == CommitKind::Delete && matches!(commit.author, Author::User(_)));
    deletes.filter_map(|commit| court.undone(commit)).collect()
}

impl<E: Engine> Court<'_, E> {
    /// A record that somebody deleted came back though nobody brought it back, and no conflict says why.
    fn undone(&self, delete: &Commit) -> Option<Violation> {
        let mapping = plan::mapping_of(delete.side, delete.entity);
        let links = self.links(mapping, delete.side, &delete.key);
        let mut keys = vec![delete.key.clone()];
        for link in &links {
            let of_it = self.keys.get(link).into_iter().flatten().filter(|(side, _)| *side == delete.side);
            keys.extend(of_it.map(|(_, key)| key.clone()));
        }
        let later = keys.iter().flat_map(|key| self.world.ledger.of(delete.side, delete.entity, key));
        let mut later: Vec<&Commit> =
            later.map(|id| &self.world.ledger.commits[*id]).filter(|c| c.at > delete.at).collect();
        later.sort_by_key(|commit| commit.at);
        let back = later.iter().find(|c| matches!(c.kind, CommitKind::Create | CommitKind::Undelete))?;
        let by_engine = matches!(back.author, Author::Engine(..));
        let recorded = self.world.store.conflicts.values().any(|conflict| {
            links.contains(&conflict.link) && matches!(conflict.kind, ConflictKind::Delete | ConflictKind::Severed)
        });
        // Somebody who brought back the other side's record wanted this one, too.
        let wanted = self.world.ledger.commits.iter().any(|commit| {
            commit.kind == CommitKind::Undelete
                && !matches!(commit.author, Author::Engine(..))
                && commit.side == Side::Left
        });
        if !by_engine || recorded || wanted || self.are_history(&links) {
            return None;
        }
        let text = format!(
            "{:?} {} {} deleted at {}, back at {} by {:?}",
            delete.side,
            delete.entity,
            delete.key,
            shown(delete.at).trim(),
            shown(back.at).trim(),
            back.author
        );
        Some(Violation { kind: "a delete is undone without a word", text })
    }
}
