//! Values that come from elsewhere: `${VAR}`, `file:PATH`. Never printed.

use std::{fmt, path::Path};

use super::{At, Findings};

/// A value that must not be seen.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The value, for whoever logs in with it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where values come from that do not stand in the file.
pub(crate) struct Surroundings<'s> {
    /// The folder of the file: paths in it start there.
    pub(crate) folder: &'s Path,
    /// The environment.
    pub(crate) variable: &'s dyn Fn(&str) -> Option<String>,
}

/// A value with what it names put in its place; what was named is in no message.
pub(super) fn expand(
    written: &At<String>,
    key: &str,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Secret> {
    let text = written.value.as_str();
    if let Some(path) = text.strip_prefix("file:") {
        return from_file(path, written, key, around, findings);
    }
    if text.starts_with("vault:") {
        findings
            .error(written.place, format!("`{key}`: the vault is not supported yet"))
            .hint("use ${VARIABLE} or file:PATH");
        return None;
    }
    let mut value = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        // `$${` is how `${` itself is written.
        if let Some(before) = rest[..start].strip_suffix('$') {
            value.push_str(before);
            value.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        let after = &rest[start + 2..];
        let Some(end) = after.find('}') else {
            findings.error(written.place, format!("`{key}`: `${{` has no `}}`"));
            return None;
        };
        let name = &after[..end];
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            findings.error(written.place, format!("`{key}`: `{name}` is no name of an environment variable"));
            return None;
        }
        let Some(found) = (around.variable)(name).filter(|found| !found.is_empty()) else {
            findings.error(written.place, format!("`{key}`: the environment variable {name} is not set"));
            return None;
        };
        value.push_str(&rest[..start]);
        value.push_str(&found);
        rest = &after[end + 1..];
    }
    value.push_str(rest);
    Some(Secret(value))
}

fn from_file(
    path: &str,
    written: &At<String>,
    key: &str,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Secret> {
    match std::fs::read_to_string(around.folder.join(path)) {
        Ok(text) if text.trim().is_empty() => {
            findings.error(written.place, format!("`{key}`: the file {path} is empty"));
            None
        }
        Ok(text) => Some(Secret(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) => {
            findings.error(written.place, format!("`{key}`: cannot read {path}: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Place;

    fn expanded(text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "from a file\n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let variable = |name: &str| match name {
            "USER" => Some("ann".to_owned()),
            "PASSWORD" => Some("a$${x}b".to_owned()),
            "BLANK" => Some(String::new()),
            _ => None,
        };
        let around = Surroundings { folder: folder.path(), variable: &variable };
        let mut findings = Findings::new("f");
        let secret = expand(&At::new(text.to_owned(), Place::START), "url", &around, &mut findings);
        secret.map(|secret| secret.expose().to_owned()).ok_or_else(|| findings.sorted()[0].message.clone())
    }

    #[test]
    fn values_come_from_the_environment_and_from_files() {
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("postgres://${USER}:${PASSWORD}@h/db", Ok("postgres://ann:a$${x}b@h/db")),
            ("a$${USER}", Ok("a${USER}")),
            ("file:token", Ok("from a file")),
            ("${NONE}", Err("`url`: the environment variable NONE is not set")),
            ("${BLANK}", Err("`url`: the environment variable BLANK is not set")),
            ("${USER", Err("`url`: `${` has no `}`")),
            ("${a b}", Err("`url`: `a b` is no name of an environment variable")),
            ("file:empty", Err("`url`: the file empty is empty")),
            ("vault:crm", Err("`url`: the vault is not supported yet")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(expanded(text), expected, "{text}");
        }
        assert!(expanded("file:nowhere").unwrap_err().starts_with("`url`: cannot read nowhere: "));
        assert_eq!(format!("{:?}", Secret::new("x")), "Secret(…)");
    }
}
