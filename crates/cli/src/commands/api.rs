//! `api METHOD PATH`: any request, as the logged-in user.

use http::{HeaderName, HeaderValue, Method, Request};

use super::text_argument;
use crate::{
    arguments::ApiArguments,
    failure::{Done, Failure},
    output::Printer,
};

pub(super) async fn run(what: &ApiArguments, printer: &Printer) -> Result<Done, Failure> {
    let method = Method::from_bytes(what.method.to_uppercase().as_bytes())
        .map_err(|_| Failure::usage(format!("`{}` is not a method", what.method)))?;
    let mut request = Request::builder().method(method);
    for header in &what.headers {
        let (name, value) = header_of(header)?;
        request = request.header(name, value);
    }
    let body = what.data.as_deref().map(text_argument).transpose()?;
    let has_type = request.headers_ref().is_some_and(|h| h.contains_key(http::header::CONTENT_TYPE));
    if body.is_some() && !has_type {
        request = request.header(http::header::CONTENT_TYPE, "application/json");
    }
    let client = what.org.client().await?;
    let path = if what.path.starts_with('/') {
        what.path.clone()
    } else {
        format!("/services/data/v{}/{}", client.api_version(), what.path)
    };
    let request = request
        .uri(&path)
        .body(body.unwrap_or_default().into())
        .map_err(|e| Failure::usage(format!("`{}` is not a path", what.path)).caused_by(e))?;
    let answer = client.request(request).await?;
    let text = String::from_utf8_lossy(answer.body());
    if !text.is_empty() {
        printer.data(&text)?;
        if !text.ends_with('\n') {
            printer.data("\n")?;
        }
    }
    Ok(Done::Whole)
}

fn header_of(text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let wrong = || Failure::usage(format!("`{text}` is not a header")).hint("write it as 'Name: value'");
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name = name.trim().parse().map_err(|_| wrong())?;
    let value = value.trim().parse().map_err(|_| wrong())?;
    Ok((name, value))
}
