//! The connections of a file: which systems there are, and how to log in to them.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use tombolo_schema::ApiVersion;

use super::{
    At, Findings, Secret,
    secret::{Surroundings, expand},
    section::{Section, text, wrong_word},
    tree::{Kind, Node},
};

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    /// Its name, by which mappings speak of it.
    pub(crate) name: At<String>,
    /// What is at its other end.
    pub(crate) access: Access,
}

/// How a system is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// A Salesforce org.
    Salesforce(Box<Org>),
    /// A database.
    Database(Database),
}

/// A Salesforce org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Org {
    /// How to log in.
    pub(crate) login: Login,
    /// The version of the API, unless the client's own.
    pub(crate) api_version: Option<ApiVersion>,
    /// One more certificate authority to trust, as PEM.
    pub(crate) ca_cert: Option<PathBuf>,
}

/// How to log in to an org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// OAuth with user name and password.
    Password {
        /// The host that logs in.
        login_url: String,
        /// The user.
        username: String,
        /// The password.
        password: Secret,
        /// What the password ends with outside of trusted networks.
        security_token: Secret,
        /// The connected app.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// A token that somebody else fetched.
    Token {
        /// The org's own address.
        instance_url: String,
        /// The token.
        access_token: Secret,
    },
}

/// The kinds of databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

/// A database, by its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Database {
    /// Its kind.
    pub(crate) engine: Engine,
    /// The URL: with user and password, so it is a secret.
    pub(crate) url: Secret,
}

impl Connection {
    /// Whether it is Salesforce.
    pub(crate) const fn is_salesforce(&self) -> bool {
        matches!(self.access, Access::Salesforce(_))
    }
}

impl Engine {
    const ALL: [Self; 3] = [Self::Postgres, Self::Mysql, Self::Sqlite];

    /// As `system:` names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Postgres => "postgres://user@host/database",
            Self::Mysql => "mysql://user@host/database",
            Self::Sqlite => "sqlite:FILE",
        }
    }

    fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once(':')?;
        match scheme {
            "postgres" | "postgresql" if rest.starts_with("//") => Some(Self::Postgres),
            "mysql" | "mariadb" if rest.starts_with("//") => Some(Self::Mysql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }
}

/// Without user, password and parameters.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, rest) = self.url.expose().split_once(':').unwrap_or_default();
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        if self.engine == Engine::Sqlite {
            return write!(f, "sqlite:{rest}");
        }
        let rest = rest.trim_start_matches('/');
        write!(f, "{}://{}", self.engine.name(), rest.rsplit_once('@').map_or(rest, |(_, place)| place))
    }
}

/// A database's URL. `of` is the kind that it has to be; any, without.
pub(super) fn database(
    written: &At<String>,
    key: &str,
    of: Option<Engine>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Database> {
    let url = expand(written, key, around, findings)?;
    let found = Engine::of_url(url.expose());
    // What was written is not repeated: it may be a secret that stands in the wrong place.
    let Some(engine) = found.filter(|found| of.is_none_or(|of| of == *found)) else {
        let examples: Vec<&str> =
            Engine::ALL.iter().filter(|one| of.is_none_or(|of| of == **one)).map(|one| one.example()).collect();
        let kind = of.map_or("a database", Engine::name);
        let message = match found {
            Some(other) => format!("`{key}` is that of {}, not of {kind}", other.name()),
            None => format!("`{key}` is no URL of {kind}"),
        };
        findings.error(written.place, message).hint(format!("it looks like {}", examples.join(" or ")));
        return None;
    };
    if engine != Engine::Sqlite {
        return Some(Database { engine, url });
    }
    let path = url.expose().trim_start_matches("sqlite:");
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(":memory:") {
        findings.error(written.place, format!("`{key}` needs a SQLite file, not a database in memory"));
        return None;
    }
    let url = Secret::new(format!("sqlite:{}", around.folder.join(path).display()));
    Some(Database { engine, url })
}

/// What `system:` can be: the first four now, the others later.
const SYSTEMS: [&str; 7] = ["salesforce", "postgres", "mysql", "sqlite", "http", "file", "nats"];

/// A connection as mappings see it: it is there, even if how to log in was not understood.
pub(super) struct Named {
    /// Whether it is Salesforce; none if nobody knows.
    pub(super) salesforce: Option<bool>,
    /// The connection, if it was understood.
    pub(super) connection: Option<Connection>,
}

/// Reads `connections:`.
pub(super) fn read(node: &Node, around: &Surroundings<'_>, findings: &mut Findings) -> BTreeMap<String, Named> {
    let mut connections = BTreeMap::new();
    let Kind::Map(entries) = &node.kind else {
        findings.error(node.place, format!("`connections` is a name and its keys for each, not {}", node.word()));
        return connections;
    };
    for (name, node) in entries {
        if !is_name(&name.value) {
            findings
                .error(name.place, format!("`{}` is no name of a connection", name.value))
                .hint("a letter, then letters, digits, _ or -");
        }
        if connections.contains_key(&name.value) {
            findings.error(name.place, format!("`{}` stands twice", name.value));
            continue;
        }
        let connection = connection(name, node, around, findings);
        let named = Named { salesforce: system_of(node).map(|system| system == "salesforce"), connection };
        connections.insert(name.value.clone(), named);
    }
    connections
}

/// What `system:` says, if it is one that there is.
fn system_of(node: &Node) -> Option<&str> {
    let Kind::Map(entries) = &node.kind else { return None };
    let (_, system) = entries.iter().find(|(key, _)| key.value == "system")?;
    let Kind::Scalar(scalar) = &system.kind else { return None };
    Some(scalar.text.trim()).filter(|text| SYSTEMS[..4].contains(text))
}

/// Whether mappings and policies can speak of it.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn connection(
    name: &At<String>,
    node: &Node,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Connection> {
    let known = ["system", "auth", "url", "per_tenant", "api_version", "ca_cert"];
    let section = Section::read(node, format!("the connection `{}`", name.value), &known, findings)?;
    section.not_yet("per_tenant", "one org a tenant", findings);
    let system = section.required("system", findings).and_then(|node| text(node, "system", findings))?;
    let engine = Engine::ALL.into_iter().find(|engine| engine.name() == system.value);
    if name.value == "salesforce" && system.value != "salesforce" {
        findings.error(name.place, "a connection named `salesforce` has to be Salesforce").hint("give it another name");
    }
    let access = match (engine, system.value.as_str()) {
        (_, "salesforce") => {
            refuse_key(&section, "url", "is Salesforce: it has `auth`", findings);
            Access::Salesforce(Box::new(org(&section, around, findings)?))
        }
        (Some(engine), _) => {
            for key in ["auth", "api_version", "ca_cert"] {
                refuse_key(&section, key, "is a database: it has a `url`", findings);
            }
            let url = section.required("url", findings).and_then(|node| text(node, "url", findings))?;
            Access::Database(database(&url, "url", Some(engine), around, findings)?)
        }
        (None, "http" | "file" | "nats") => {
            findings.error(system.place, format!("`system: {}` is not supported yet", system.value));
            return None;
        }
        (None, "mariadb") => {
            findings.error(system.place, "`system` cannot be `mariadb`").hint("MariaDB is `mysql`");
            return None;
        }
        (None, _) => {
            wrong_word("system", &system, &SYSTEMS, findings);
            return None;
        }
    };
    Some(Connection { name: name.clone(), access })
}

fn refuse_key(section: &Section<'_>, key: &str, why: &str, findings: &mut Findings) {
    if let Some((key, _)) = section.entry(key) {
        findings.error(key.place, format!("{} {why}, no `{}`", section.what, key.value));
    }
}

fn org(section: &Section<'_>, around: &Surroundings<'_>, findings: &mut Findings) -> Option<Org> {
    let api_version = section.text("api_version", findings).and_then(|text| {
        let version = text.value.parse::<ApiVersion>().ok();
        if version.is_none() {
            let message = format!("`{}` is no version of the API", text.value);
            findings.error(text.place, message).hint("it looks like 66.0");
        }
        version
    });
    let ca_cert = section.text("ca_cert", findings).map(|path| around.folder.join(path.value));
    let auth = section.required("auth", findings)?;
    Some(Org { login: login(auth, around, findings)?, api_version, ca_cert })
}

fn login(node: &Node, around: &Surroundings<'_>, findings: &mut Findings) -> Option<Login> {
    const PASSWORD: [&str; 7] =
        ["flow", "login_url", "username", "password", "security_token", "client_id", "client_secret"];
    const TOKEN: [&str; 3] = ["flow", "instance_url", "access_token"];
    let mut every: Vec<&str> = PASSWORD.into_iter().chain(TOKEN).collect();
    every.extend(["key", "alias"]);
    // The flow says which keys there may be.
    let flow = Section::read(node, "`auth`", &every, &mut Findings::new(""))
        .and_then(|section| section.required("flow", findings).and_then(|node| text(node, "flow", findings)));
    let (what, known) = match flow.as_ref().map(|flow| flow.value.as_str()) {
        Some("password") => ("`auth` with a password", PASSWORD.as_slice()),
        Some("token") => ("`auth` with a token", TOKEN.as_slice()),
        _ => ("`auth`", every.as_slice()),
    };
    let section = Section::read(node, what, known, findings)?;
    let flow = flow?;
    match flow.value.as_str() {
        "password" => password(&section, around, findings),
        "token" => {
            let instance_url = value(&section, "instance_url", around, findings);
            let access_token = value(&section, "access_token", around, findings);
            let url = web_address(&section, "instance_url", instance_url?.expose(), findings);
            Some(Login::Token { instance_url: url?, access_token: access_token? })
        }
        "jwt" | "web_server" | "client_credentials" | "sf_alias" => {
            findings
                .error(flow.place, format!("`flow: {}` is not supported yet", flow.value))
                .hint("use `flow: password` or `flow: token`");
            None
        }
        _ => {
            let flows = ["password", "token", "jwt", "web_server", "client_credentials", "sf_alias"];
            wrong_word("flow", &flow, &flows, findings);
            None
        }
    }
}

fn password(section: &Section<'_>, around: &Surroundings<'_>, findings: &mut Findings) -> Option<Login> {
    let login_url = match section.value("login_url") {
        None => Some("https://login.salesforce.com".to_owned()),
        Some(_) => value(section, "login_url", around, findings)
            .and_then(|url| web_address(section, "login_url", url.expose(), findings)),
    };
    let security_token = match section.value("security_token") {
        Some(node) if !is_blank(node, around) => value(section, "security_token", around, findings),
        _ => Some(Secret::new("")),
    };
    let mut needed = |key| value(section, key, around, findings);
    let (username, password) = (needed("username"), needed("password"));
    let (client_id, client_secret) = (needed("client_id"), needed("client_secret"));
    Some(Login::Password {
        login_url: login_url?,
        username: username?.expose().to_owned(),
        password: password?,
        security_token: security_token?,
        client_id: client_id?.expose().to_owned(),
        client_secret: client_secret?,
    })
}

/// Whether there is nothing, or a variable that is set to nothing.
fn is_blank(node: &Node, around: &Surroundings<'_>) -> bool {
    let Kind::Scalar(scalar) = &node.kind else { return false };
    let text = scalar.text.trim();
    let named = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    text.is_empty() || named.and_then(around.variable).is_some_and(|value| value.is_empty())
}

/// The value of a key that must be there, with what it names put in its place.
fn value(section: &Section<'_>, key: &str, around: &Surroundings<'_>, findings: &mut Findings) -> Option<Secret> {
    let written = section.required(key, findings).and_then(|node| text(node, key, findings))?;
    expand(&written, key, around, findings)
}

fn web_address(section: &Section<'_>, key: &str, url: &str, findings: &mut Findings) -> Option<String> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.contains(['@', ' '])) {
        return Some(url.trim_end_matches('/').to_owned());
    }
    let place = section.value(key).map_or(section.place, |node| node.place);
    findings.error(place, format!("`{key}` is no address")).hint("it looks like https://example.my.salesforce.com");
    None
}
