//! Where a database is: `postgres://…`, `mysql://…` or `sqlite:FILE`.

use std::{fmt, path::PathBuf, str::FromStr};

use super::dialect::Dialect;
use crate::{Error, Result};

/// Where a database is. It is never shown whole: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Address {
    Postgres(String),
    MySql(String),
    Sqlite(PathBuf),
}

const HINT: &str = "it looks like postgres://user@host/database, mysql://user@host/database or sqlite:FILE";

impl Address {
    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::MySql(_) => Dialect::MySql,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Error::usage("the database's address names no kind of database").with_hint(HINT));
        };
        match scheme {
            "postgres" | "postgresql" if rest.starts_with("//") => Ok(Self::Postgres(text.to_owned())),
            "mysql" | "mariadb" if rest.starts_with("//") => Ok(Self::MySql(format!("mysql:{rest}"))),
            "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" | ":memory:" => {
                    Err(Error::usage("a database in memory cannot be shared: name a file").with_hint(HINT))
                }
                path => Ok(Self::Sqlite(path.into())),
            },
            _ => {
                Err(Error::usage(format!("`{scheme}:` is no kind of database that can be kept in step"))
                    .with_hint(HINT))
            }
        }
    }
}

/// Without user, password and parameters.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, url) = match self {
            Self::Sqlite(path) => return write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => ("postgres", url),
            Self::MySql(url) => ("mysql", url),
        };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        write!(f, "{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, place)| place))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_secrets() {
        for (text, shown) in [
            ("postgres://u:p@host:5432/db?sslmode=require", Some("postgres://host:5432/db")),
            ("postgresql://u:p@x@host/db", Some("postgres://host/db")),
            ("mysql://u:p@host/db", Some("mysql://host/db")),
            ("mariadb://u:p@host/db", Some("mysql://host/db")),
            ("sqlite:a.db", Some("sqlite:a.db")),
            ("sqlite:///tmp/a.db", Some("sqlite:/tmp/a.db")),
            ("sqlite::memory:", None),
            ("sqlite:", None),
            ("oracle://u:secret@h/db", None),
            ("postgres:db", None),
            ("", None),
        ] {
            match (text.parse::<Address>(), shown) {
                (Ok(address), Some(shown)) => assert_eq!(address.to_string(), shown),
                (Err(error), None) => assert!(!error.to_string().contains("secret")),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }
}
