//! Where the state lies: `sqlite:FILE`, `postgres://…`, `mysql://…`.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::Error;

/// Where the state lies.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database by its URL, and the schema: `?schema=NAME`, or `tombolo_state`.
    Postgres {
        /// The URL without the schema.
        url: String,
        /// The schema, made if there is none.
        schema: String,
    },
    /// A MySQL or MariaDB database, by its URL.
    MySql(String),
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let hint = "state looks like sqlite:FILE, postgres://user@host/database or mysql://user@host/database";
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Error::usage("the state names no kind of database").with_hint(hint));
        };
        match scheme {
            "postgres" | "postgresql" if rest.starts_with("//") => {
                let (url, schema) = split_schema(text);
                Ok(Self::Postgres { url, schema: schema.unwrap_or_else(|| "tombolo_state".to_owned()) })
            }
            "mysql" | "mariadb" if rest.starts_with("//") => Ok(Self::MySql(format!("mysql:{rest}"))),
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path == ":memory:" {
                    return Err(Error::usage("the state needs a SQLite file, not a database in memory").with_hint(hint));
                }
                Ok(Self::Sqlite(path.into()))
            }
            _ => Err(Error::usage(format!("`{scheme}:` is no kind of database that holds state")).with_hint(hint)),
        }
    }
}

impl Place {
    /// By what processes know that they share a state: the address without user and password. Who names it otherwise
    /// is not woken, and who shares the name by chance is woken for nothing.
    #[cfg(feature = "redis")]
    pub(super) fn name(&self) -> Result<String, Error> {
        match self {
            Self::Sqlite(path) => Ok(Self::Sqlite(super::lock::real_path(path)?).to_string()),
            Self::Postgres { schema, .. } => Ok(format!("{self}/{schema}")),
            Self::MySql(_) => Ok(self.to_string()),
        }
    }
}

/// Takes `schema=NAME` out of a URL's parameters.
fn split_schema(url: &str) -> (String, Option<String>) {
    let Some((place, parameters)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut schema = None;
    let mut rest = Vec::new();
    for parameter in parameters.split('&') {
        match parameter.strip_prefix("schema=").filter(|name| !name.is_empty()) {
            Some(name) => schema = Some(name.to_owned()),
            None => rest.push(parameter),
        }
    }
    let place = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
    (place, schema)
}

/// Without user, password and parameters.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, url) = match self {
            Self::Sqlite(path) => return write!(f, "sqlite:{}", path.display()),
            Self::Postgres { url, .. } => ("postgres", url),
            Self::MySql(url) => ("mysql", url),
        };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        // A password may hold any of these characters, if it is written carelessly.
        let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        write!(f, "{scheme}://{}", rest.split(['?', '#']).next().unwrap_or_default())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown_without_secrets() {
        for (text, shown) in [
            ("postgres://u:secret@host:5432/db?sslmode=require", Some("postgres://host:5432/db")),
            ("postgresql://u:secret?#@x@host/db", Some("postgres://host/db")),
            ("mysql://u:secret@h/db", Some("mysql://h/db")),
            ("mariadb://u:secret@h/db", Some("mysql://h/db")),
            ("sqlite:a.db", Some("sqlite:a.db")),
            ("sqlite:///tmp/a.db", Some("sqlite:/tmp/a.db")),
            ("sqlite:", None),
            ("sqlite::memory:", None),
            ("redis://u:secret@h", None),
            ("mysql:db", None),
            ("a.db", None),
        ] {
            match (text.parse::<Place>(), shown) {
                (Ok(place), Some(shown)) => assert_eq!(place.to_string(), shown),
                (Err(error), None) => assert!(!error.to_string().contains("secret"), "{text}"),
                (place, _) => panic!("{text}: {place:?}"),
            }
        }
    }

    #[test]
    fn a_schema_is_told_in_the_address() {
        for (text, url, schema) in [
            ("postgres://h/db", "postgres://h/db", "tombolo_state"),
            ("postgres://h/db?schema=a%20b", "postgres://h/db", "a%20b"),
            ("postgres://h/db?sslmode=disable&schema=a&x=y", "postgres://h/db?sslmode=disable&x=y", "a"),
        ] {
            let place = Place::Postgres { url: url.to_owned(), schema: schema.to_owned() };
            assert_eq!(text.parse::<Place>().unwrap(), place);
        }
    }
}
