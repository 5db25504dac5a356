//! Who a session belongs to: the identity URL and userinfo (rest.md 1.13).

use http::{StatusCode, header::AUTHORIZATION, request::Parts};
use serde_json::{Value, json};
use tombolo_schema::Id;

use super::{
    App,
    answer::{self, Outcome, Refusal},
    call::Call,
};
use crate::core::{UserInfo, security::Session};

/// The identity URL of a user.
pub(crate) fn url(call: &Call, user: Option<Id>) -> String {
    let user = user.unwrap_or_else(|| call.core.admin_user().id);
    format!("{}/id/{}/{user}", call.origin.instance_url(), call.core.org_id())
}

/// The session of an identity request: in the header, or in the query as `oauth_token` (metadata.md 7.3).
pub(crate) fn admit(app: &App, parts: &Parts, query: &[(String, String)]) -> Result<Session, Refusal> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let in_header = header.and_then(|value| value.split_once(' ')).map(|(_, token)| token.trim());
    let in_query = || query.iter().find(|(key, _)| key == "oauth_token" || key == "access_token");
    let token = in_header.or_else(|| in_query().map(|(_, value)| value.as_str())).unwrap_or_default();
    if token.is_empty() {
        return Err(plainly(StatusCode::FORBIDDEN, "Missing_OAuth_Token"));
    }
    app.authenticate(token, parts.uri.path()).map_err(|_| plainly(StatusCode::FORBIDDEN, "Bad_OAuth_Token"))
}

/// `GET|POST /services/oauth2/userinfo`
pub(crate) fn userinfo(call: &Call) -> Outcome {
    let user = call.core.admin_user();
    let mut body = json!({
        "sub": url(call, Some(user.id)),
        "user_id": user.id.as_str(),
        "organization_id": call.core.org_id().as_str(),
        "preferred_username": user.username,
        "nickname": user.nickname,
        "name": user.name,
        "email": user.email,
        "email_verified": true,
        "given_name": user.first_name,
        "family_name": user.last_name,
        "zoneinfo": user.time_zone,
        "photos": { "picture": photo(call, 'F'), "thumbnail": photo(call, 'T') },
        "profile": format!("{}/{}", call.origin.instance_url(), user.id),
        "picture": photo(call, 'F'),
        "address": {},
        "is_salesforce_integration_user": false,
        "urls": urls(call, user.id),
    });
    if let (Value::Object(body), Value::Object(rest)) = (&mut body, standing(call, &user, "updated_at")) {
        body.extend(rest);
    }
    Ok(answer::json(StatusCode::OK, &body))
}

/// `GET|POST /id/00D…/005…`
pub(crate) fn identity(call: &Call) -> Outcome {
    let org = Id::parse(call.param("org")).map_err(|_| plainly(StatusCode::NOT_FOUND, "Bad_Id"))?;
    let id = Id::parse(call.param("user")).map_err(|_| plainly(StatusCode::NOT_FOUND, "Bad_Id"))?;
    let user = call.core.admin_user();
    if org != call.core.org_id() {
        return Err(plainly(StatusCode::FORBIDDEN, "Wrong_Org"));
    }
    if id != user.id {
        return Err(plainly(StatusCode::NOT_FOUND, "Bad_Id"));
    }
    let mut body = json!({
        "id": url(call, Some(user.id)),
        "asserted_user": true,
        "user_id": user.id.as_str(),
        "organization_id": org.as_str(),
        "username": user.username,
        "nick_name": user.nickname,
        "display_name": user.name,
        "email": user.email,
        "email_verified": true,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "timezone": user.time_zone,
        "photos": { "picture": photo(call, 'F'), "thumbnail": photo(call, 'T') },
        "addr_street": null,
        "addr_city": null,
        "addr_state": null,
        "addr_country": null,
        "addr_zip": null,
        "mobile_phone": null,
        "mobile_phone_verified": false,
        "is_lightning_login_user": false,
        "status": { "created_date": null, "body": null },
        "urls": urls(call, user.id),
    });
    if let (Value::Object(body), Value::Object(rest)) = (&mut body, standing(call, &user, "last_modified_date")) {
        body.extend(rest);
    }
    Ok(answer::json(StatusCode::OK, &body))
}

/// What both bodies end with.
fn standing(call: &Call, user: &UserInfo, changed_key: &str) -> Value {
    let changed = call.app.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "active": true,
        "user_type": "STANDARD",
        "language": user.locale,
        "locale": user.locale,
        "utcOffset": 0,
        changed_key: changed,
        "is_app_installed": true,
    })
}

fn photo(call: &Call, size: char) -> String {
    format!("{}/profilephoto/005/{size}", call.origin.instance_url())
}

/// The addresses of everything, `{version}` for the client to fill in.
fn urls(call: &Call, user: Id) -> Value {
    let instance = call.origin.instance_url();
    let org = call.core.org_id();
    let org = org.short();
    let data = format!("{instance}/services/data/v{{version}}");
    json!({
        "enterprise": format!("{instance}/services/Soap/c/{{version}}/{org}"),
        "metadata": format!("{instance}/services/Soap/m/{{version}}/{org}"),
        "partner": format!("{instance}/services/Soap/u/{{version}}/{org}"),
        "rest": format!("{data}/"),
        "sobjects": format!("{data}/sobjects/"),
        "search": format!("{data}/search/"),
        "query": format!("{data}/query/"),
        "recent": format!("{data}/recent/"),
        "tooling_soap": format!("{instance}/services/Soap/T/{{version}}/{org}"),
        "tooling_rest": format!("{data}/tooling/"),
        "profile": format!("{instance}/{user}"),
        "feeds": format!("{data}/chatter/feeds"),
        "groups": format!("{data}/chatter/groups"),
        "users": format!("{data}/chatter/users"),
        "feed_items": format!("{data}/chatter/feed-items"),
        "feed_elements": format!("{data}/chatter/feed-elements"),
        "custom_domain": instance,
    })
}

/// These requests are refused in plain text.
fn plainly(status: StatusCode, text: &'static str) -> Refusal {
    Refusal::Finished(Box::new(answer::text(status, "text/plain;charset=UTF-8", text)))
}
