//! What mappings do to each other.

use tombolo_engine::sync::{Mapping, Side};

use super::Known;
use crate::config::Findings;

/// Looks for mappings that write the same fields of the same records.
pub(super) fn check(known: &[Option<Known<'_>>], mappings: &[Mapping], findings: &mut Findings) {
    let known: Vec<&Known<'_>> = known.iter().flatten().collect();
    for (at, (later, known_later)) in mappings.iter().zip(&known).enumerate() {
        for (earlier, known_earlier) in mappings.iter().zip(&known).take(at) {
            if same_ends(later, earlier) && !told_apart(later, earlier) {
                let message = format!(
                    "`{}` joins the same ends as `{}`, and no filter tells them apart",
                    later.name, earlier.name
                );
                findings.error(known_later.mapping.place(), message).hint("give both a filter, or make them one");
                continue;
            }
            for field in written_by_both(later, earlier) {
                let line = known_later.mapping.fields.iter().find(|line| {
                    [&line.line.left.value, &line.line.right.value]
                        .iter()
                        .any(|name| name.eq_ignore_ascii_case(&field.1))
                });
                let place = line.map_or(known_later.mapping.place(), |line| line.line.left.place);
                let end = known_later.end(field.0);
                let message =
                    format!("`{}` of `{end}` is written by `{}`, too", field.1, known_earlier.mapping.name.value);
                if told_apart(later, earlier) {
                    findings.warning(place, message).hint("the filters must not both hold for a record");
                } else {
                    findings.error(place, message).hint("let one of them write it, or give both a filter");
                }
            }
        }
    }
}

fn same_ends(one: &Mapping, other: &Mapping) -> bool {
    Side::BOTH.into_iter().all(|side| {
        let end = &one.ends[side];
        other.sides_of(&end.connection, &end.entity).next().is_some()
    })
}

fn told_apart(one: &Mapping, other: &Mapping) -> bool {
    [one, other].into_iter().all(|mapping| mapping.ends.iter().any(|end| end.filter.is_some()))
}

/// The fields that both write, with the side of the first.
fn written_by_both(one: &Mapping, other: &Mapping) -> Vec<(Side, String)> {
    let mut both = Vec::new();
    for side in Side::BOTH {
        let end = &one.ends[side];
        for place in other.sides_of(&end.connection, &end.entity) {
            let theirs: Vec<&str> = other
                .fields
                .iter()
                .filter(|pair| pair.flow.writes(place))
                .map(|pair| pair.names[place].as_str())
                .collect();
            let mine = one.fields.iter().filter(|pair| pair.flow.writes(side)).map(|pair| &pair.names[side]);
            both.extend(mine.filter(|name| theirs.contains(&name.as_str())).map(|name| (side, name.clone())));
        }
    }
    both
}
