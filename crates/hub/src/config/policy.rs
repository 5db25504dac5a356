//! Words that name a side: policies, directions, deletes. A side is named by its connection, or as `salesforce` where
//! one end is.

use tombolo_engine::sync::{Deletes, Flow, Policy, Side};

use super::{At, Findings, finding::nearest, mapping::EndName, section::wrong_word};

/// The ends of a mapping, by name.
pub(super) struct Names<'e> {
    ends: &'e [EndName; 2],
}

impl<'e> Names<'e> {
    pub(super) const fn new(ends: &'e [EndName; 2]) -> Self {
        Self { ends }
    }

    /// The end that is Salesforce, if only one is.
    pub(super) fn salesforce(&self) -> Option<Side> {
        match [self.ends[0].salesforce, self.ends[1].salesforce] {
            [true, false] => Some(Side::Left),
            [false, true] => Some(Side::Right),
            _ => None,
        }
    }

    /// The side that a word names.
    pub(super) fn side(&self, word: &str) -> Option<Side> {
        if word == "salesforce" {
            return self.salesforce();
        }
        Side::BOTH.into_iter().find(|side| self.ends[*side].connection.value == word)
    }

    /// The words that name a side.
    pub(super) fn words(&self) -> Vec<&'e str> {
        let salesforce = self.salesforce().map(|_| "salesforce");
        let named = self.ends.iter().map(|end| end.connection.value.as_str());
        let mut words: Vec<&str> = salesforce.into_iter().collect();
        words.extend(named.filter(|name| *name != "salesforce"));
        words
    }

    /// Who decides unless somebody else is named: Salesforce.
    pub(super) fn owner(&self) -> Side {
        self.salesforce().unwrap_or(Side::Left)
    }

    /// `salesforce_wins`, `app_wins`, `newest`, `newest else app`, `prefer_non_blank`, `max`, `min`, `manual`.
    pub(super) fn policy(&self, text: &At<String>, key: &str, findings: &mut Findings) -> Option<Policy> {
        let words: Vec<&str> = text.value.split_whitespace().collect();
        let (word, owner) = match words.as_slice() {
            [word] => (*word, None),
            [word @ ("newest" | "prefer_non_blank"), "else", owner] => (*word, Some(*owner)),
            [word, "else", _] if self.plain_policy(word, self.owner()).is_some() => {
                findings.error(text.place, format!("`{word}` has no `else`: it always decides"));
                return None;
            }
            _ => (text.value.as_str(), None),
        };
        let owner = match owner {
            None => self.owner(),
            Some(named) => match self.side(named) {
                Some(side) => side,
                None => {
                    let place = text.place.right(text.value.chars().count() - named.chars().count());
                    let finding = findings.error(place, format!("`{named}` is neither end of this mapping"));
                    finding.hint(format!("its ends are {}", self.words().join(", ")));
                    return None;
                }
            },
        };
        let policy = self.plain_policy(word, owner);
        if policy.is_none() {
            let mut known: Vec<String> = self.words().iter().map(|word| format!("{word}_wins")).collect();
            known.extend(["newest", "prefer_non_blank", "max", "min", "manual"].map(str::to_owned));
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            wrong_word(key, text, &known, findings);
        }
        policy
    }

    fn plain_policy(&self, word: &str, owner: Side) -> Option<Policy> {
        Some(match word {
            "newest" => Policy::Newest(owner),
            "prefer_non_blank" => Policy::PreferNonBlank(owner),
            "max" => Policy::Max,
            "min" => Policy::Min,
            "manual" => Policy::Manual,
            _ => Policy::Wins(self.side(word.strip_suffix("_wins")?)?),
        })
    }

    /// `bidirectional`, `to_salesforce`, `from_salesforce`; of any end by the name of its connection.
    pub(super) fn direction(&self, text: &At<String>, findings: &mut Findings) -> Option<Flow> {
        if text.value == "bidirectional" {
            return Some(Flow::Both);
        }
        let flow = self.towards(&text.value).map(Flow::To);
        if flow.is_none() {
            let mut known = vec!["bidirectional".to_owned()];
            known.extend(self.words().iter().flat_map(|word| [format!("to_{word}"), format!("from_{word}")]));
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            wrong_word("direction", text, &known, findings);
        }
        flow
    }

    /// The side that `to_…` or `from_…` leads to.
    pub(super) fn towards(&self, word: &str) -> Option<Side> {
        let to = word.strip_prefix("to_").and_then(|name| self.side(name));
        to.or_else(|| word.strip_prefix("from_").and_then(|name| self.side(name)).map(Side::other))
    }

    /// The keys that `deletes` may have.
    pub(super) fn delete_keys(&self) -> Vec<String> {
        self.words().iter().flat_map(|word| [format!("from_{word}"), format!("to_{word}")]).collect()
    }
}

/// `hard`, `ignore`, `soft(COLUMN)`.
pub(super) fn deletes(text: &At<String>, key: &str, findings: &mut Findings) -> Option<Deletes> {
    let column = text.value.strip_prefix("soft(").and_then(|rest| rest.strip_suffix(')')).map(str::trim);
    match (text.value.as_str(), column) {
        ("hard", _) => Some(Deletes::Hard),
        ("ignore", _) => Some(Deletes::Ignore),
        (_, Some(column)) if !column.is_empty() => Some(Deletes::Soft(column.to_owned())),
        ("soft" | "soft()", _) => {
            findings
                .error(text.place, format!("`{key}: soft` needs a column"))
                .hint("soft(deleted_at) sets deleted_at to the time of the delete");
            None
        }
        (word, _) => {
            let finding = findings.error(text.place, format!("`{key}` cannot be `{word}`"));
            match nearest(word, ["hard", "ignore", "soft(COLUMN)"]) {
                Some(near) => finding.did_you_mean(Some(near)),
                None => finding.hint("it is one of hard, soft(COLUMN), ignore"),
            }
            None
        }
    }
}
