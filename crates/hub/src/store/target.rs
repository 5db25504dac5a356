//! Where a mirror goes: `postgres://…` or `sqlite:FILE`.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::Error;

/// Where a mirror goes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A PostgreSQL database, by its URL.
    Postgres(String),
    /// A SQLite file.
    Sqlite(PathBuf),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let hint = "a target looks like postgres://user@host/database or sqlite:FILE";
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Error::usage("the target names no kind of database").with_hint(hint));
        };
        match scheme {
            "postgres" | "postgresql" if rest.starts_with("//") => Ok(Self::Postgres(text.to_owned())),
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path == ":memory:" {
                    return Err(Error::usage("a mirror needs a SQLite file, not a database in memory").with_hint(hint));
                }
                Ok(Self::Sqlite(path.into()))
            }
            _ => Err(Error::usage(format!("`{scheme}:` is no kind of database that mirror writes to")).with_hint(hint)),
        }
    }
}

/// Without user, password and parameters.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                write!(f, "postgres://{}", rest.rsplit_once('@').map_or(rest, |(_, place)| place))
            }
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_shown_without_secrets() {
        for (text, shown) in [
            ("postgres://u:p@host:5432/db?sslmode=require", Some("postgres://host:5432/db")),
            ("postgresql://u:p@x@host/db", Some("postgres://host/db")),
            ("postgres:///db", Some("postgres:///db")),
            ("sqlite:a.db", Some("sqlite:a.db")),
            ("sqlite:///tmp/a.db", Some("sqlite:/tmp/a.db")),
            ("sqlite:", None),
            ("sqlite::memory:", None),
            ("mysql://u:secret@h/db", None),
            ("postgres:db", None),
            ("a.db", None),
            ("", None),
        ] {
            let target = text.parse::<Target>();
            match shown {
                Some(shown) => assert_eq!(target.unwrap().to_string(), shown),
                None => assert!(!target.unwrap_err().to_string().contains("secret"), "{text}"),
            }
        }
    }
}
