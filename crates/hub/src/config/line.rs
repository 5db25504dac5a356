//! A field line: `Email = email [newest]`.

use super::{At, Findings, Place};

/// A field line, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The field of the first end of `between`.
    pub(crate) left: At<String>,
    /// The field of the second one.
    pub(crate) right: At<String>,
    /// Which way it goes.
    pub(crate) arrow: Arrow,
    /// What stands in brackets.
    pub(crate) policy: Option<At<String>>,
}

/// Which way a field line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrow {
    /// `=`: as `direction` says.
    Equal,
    /// `->`.
    ToRight,
    /// `<-`.
    ToLeft,
}

/// What may stand between two fields; what is not understood has the sign that was meant. The long ones come first.
const SIGNS: [(&str, Result<Arrow, &str>); 12] = [
    ("<=>", Err("=")),
    ("<->", Err("=")),
    ("==", Err("=")),
    ("=>", Err("->")),
    ("<=", Err("<-")),
    ("->", Ok(Arrow::ToRight)),
    ("<-", Ok(Arrow::ToLeft)),
    ("→", Ok(Arrow::Equal)),
    ("←", Err("<-")),
    ("↔", Err("=")),
    ("=", Ok(Arrow::Equal)),
    (":", Err("=")),
];

/// Reads a line; none if it is blank, a comment, or wrong.
pub(super) fn read(written: &At<String>, findings: &mut Findings) -> Option<Line> {
    let text = without_comment(&written.value);
    if text.trim().is_empty() {
        return None;
    }
    let (pair, policy) = split_policy(text, written.place, findings)?;
    let Some((start, sign, arrow)) = find_sign(pair) else {
        findings
            .error(written.place, format!("`{}` is no field line", pair.trim()))
            .hint("a line looks like `Email = email`, `Account.Name -> company` or `Score__c <- score`");
        return None;
    };
    let arrow = match arrow {
        Ok(arrow) => arrow,
        Err(meant) => {
            let place = written.place.right(pair[..start].chars().count());
            findings.error(place, format!("a field line has no `{sign}`")).hint(format!("did you mean `{meant}`?"));
            return None;
        }
    };
    let left = name(pair, 0..start, written.place, findings);
    let right = name(pair, start + sign.len()..pair.len(), written.place, findings);
    Some(Line { left: left?, right: right?, arrow, policy })
}

/// A `#` at the start or behind a blank begins a comment, unless it is quoted.
fn without_comment(text: &str) -> &str {
    let mut quoted = false;
    let mut blank = true;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if blank && !quoted => return &text[..at],
            _ => {}
        }
        blank = c.is_whitespace();
    }
    text
}

/// The pair of fields, and what stands in brackets behind it.
fn split_policy<'t>(text: &'t str, place: Place, findings: &mut Findings) -> Option<(&'t str, Option<At<String>>)> {
    let Some(start) = unquoted(text, |rest| rest.starts_with('[')) else { return Some((text, None)) };
    let at = |byte: usize| place.right(text[..byte].chars().count());
    let inner = &text[start + 1..];
    let Some(end) = inner.find(']') else {
        findings.error(at(start), "`[` has no `]`");
        return None;
    };
    let behind = inner[end + 1..].trim_start();
    if !behind.is_empty() {
        findings.error(at(text.len() - behind.len()), format!("`{}` stands behind the policy", behind.trim_end()));
        return None;
    }
    let policy = &inner[..end];
    let indent = policy.len() - policy.trim_start().len();
    Some((&text[..start], Some(At::new(policy.trim().to_owned(), at(start + 1 + indent)))))
}

fn find_sign(pair: &str) -> Option<(usize, &'static str, Result<Arrow, &'static str>)> {
    let here = |rest: &str| SIGNS.into_iter().find(|(sign, _)| rest.starts_with(sign));
    let start = unquoted(pair, |rest| here(rest).is_some())?;
    here(&pair[start..]).map(|(sign, arrow)| (start, sign, arrow))
}

/// The first place outside of quotes where this holds.
fn unquoted(text: &str, holds: impl Fn(&str) -> bool) -> Option<usize> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if !quoted && holds(&text[at..]) {
            return Some(at);
        }
    }
    None
}

fn name(pair: &str, range: std::ops::Range<usize>, place: Place, findings: &mut Findings) -> Option<At<String>> {
    let part = &pair[range.clone()];
    let indent = part.len() - part.trim_start().len();
    let place = place.right(pair[..range.start + indent].chars().count());
    let text = part.trim();
    if let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
        && !inner.is_empty()
        && !inner.contains('"')
    {
        return Some(At::new(inner.to_owned(), place.right(1)));
    }
    if text.is_empty() {
        findings.error(place, "a field is missing here");
        return None;
    }
    let plain = text.split('.').all(|step| {
        step.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && step.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
    });
    if !plain {
        findings
            .error(place, format!("`{text}` is no name of a field"))
            .hint("a line holds two fields and what stands between; an odd name stands in quotes: \"a b\"");
        return None;
    }
    Some(At::new(text.to_owned(), place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut findings = Findings::new("f");
        let line = read(&At::new(text.to_owned(), Place { line: 1, column: 10 }), &mut findings);
        if let Some(finding) = findings.sorted().first() {
            let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            return format!("{} {}{hint}", finding.place.column, finding.message);
        }
        line.map_or_else(String::new, |line| {
            let policy = line.policy.map(|policy| format!(" [{}]@{}", policy.value, policy.place.column));
            format!(
                "{}@{} {:?} {}@{}{}",
                line.left.value,
                line.left.place.column,
                line.arrow,
                line.right.value,
                line.right.place.column,
                policy.unwrap_or_default()
            )
        })
    }

    #[test]
    fn lines_are_read_with_their_places() {
        for (text, expected) in [
            ("Email = email", "Email@10 Equal email@18"),
            ("Email=email", "Email@10 Equal email@16"),
            ("Email → email", "Email@10 Equal email@18"),
            ("Account.Name -> company", "Account.Name@10 ToRight company@26"),
            ("Score__c <- lead_score # ours", "Score__c@10 ToLeft lead_score@22"),
            ("Title = job_title [newest else app]", "Title@10 Equal job_title@18 [newest else app]@29"),
            ("Title = job_title [ max ]", "Title@10 Equal job_title@18 [max]@30"),
            ("A__c = \"odd = name #1\"", "A__c@10 Equal odd = name #1@18"),
            ("Größe__c = größe", "Größe__c@10 Equal größe@21"),
            ("", ""),
            ("# a comment", ""),
            (
                "Email",
                "10 `Email` is no field line (a line looks like `Email = email`, `Account.Name -> company` or `Score__c <- score`)",
            ),
            ("Email => email", "16 a field line has no `=>` (did you mean `->`?)"),
            ("Email <-> email", "16 a field line has no `<->` (did you mean `=`?)"),
            ("Email: email", "15 a field line has no `:` (did you mean `=`?)"),
            ("= email", "10 a field is missing here"),
            ("Email =", "17 a field is missing here"),
            (
                "First Name = first",
                "10 `First Name` is no name of a field (a line holds two fields and what stands between; an odd name stands in quotes: \"a b\")",
            ),
            (
                "A = b = c",
                "14 `b = c` is no name of a field (a line holds two fields and what stands between; an odd name stands in quotes: \"a b\")",
            ),
            (
                "A..B = c",
                "10 `A..B` is no name of a field (a line holds two fields and what stands between; an odd name stands in quotes: \"a b\")",
            ),
            ("A = b [newest", "16 `[` has no `]`"),
            ("A = b [newest] c", "25 `c` stands behind the policy"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
