//! Records back from the recycle bin.

use bytes::Bytes;
use http::Response;
use tombolo_schema::ErrorCode;

use crate::{
    ApiError, Client, Error, ErrorKind, Result, SaveResult,
    request::undelete::{MAX_IDS, undelete},
    soap::Element,
};

impl Client {
    /// Takes up to 200 records out of the recycle bin, in one call of the SOAP API; the results come in the order
    /// of the Ids. Never repeated blindly: if the answer is lost the error is
    /// [`UnknownOutcome`](crate::ErrorKind::UnknownOutcome).
    ///
    /// ```no_run
    /// # async fn run(client: tombolo_client::Client) -> tombolo_client::Result<()> {
    /// for result in client.undelete(&["003000000000001AAA"]).await? {
    ///     println!("{:?} {} {:?}", result.id, result.success, result.errors);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn undelete<I: AsRef<str>>(&self, ids: &[I]) -> Result<Vec<SaveResult>> {
        if ids.len() > MAX_IDS {
            let message = format!("at most {MAX_IDS} records are restored in one call, not {}", ids.len());
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        let request = undelete(self.api_version(), &ids, self.options().call_tag())?;
        self.read_with(request, |answer| read(answer, ids.len())).await
    }
}

fn read(answer: &Response<Bytes>, expected: usize) -> Result<Vec<SaveResult>> {
    let wrong = |message: &str| Error::new(ErrorKind::Decode, message);
    let envelope = Element::read(answer.body()).ok_or_else(|| wrong("the answer is no XML"))?;
    let results = envelope.answer().filter(|answer| answer.name() == "undeleteResponse");
    let results = results.ok_or_else(|| wrong("the answer is not that of an undelete"))?;
    let results: Vec<SaveResult> = results.all("result").map(result).collect();
    if results.len() != expected {
        return Err(wrong(&format!("{expected} Ids were sent, but {} were answered", results.len())));
    }
    Ok(results)
}

fn result(element: &Element) -> SaveResult {
    let error = |error: &Element| {
        let text = |name| error.text_of(name).unwrap_or_default();
        let fields = error.all("fields").map(|field| field.text().to_owned()).collect();
        ApiError::new(ErrorCode::from(text("statusCode")), text("message"), fields)
    };
    SaveResult {
        id: element.text_of("id").map(str::to_owned),
        success: element.text_of("success") == Some("true"),
        errors: element.all("errors").map(error).collect(),
        created: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
          xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <soapenv:Header><LimitInfoHeader/></soapenv:Header><soapenv:Body><undeleteResponse>
        <result><id>003000000000001AAA</id><success>true</success></result>
        <result><errors><fields>Id</fields><message>entity is not in the recycle bin</message>
          <statusCode>UNDELETE_FAILED</statusCode></errors><id xsi:nil="true"/><success>false</success></result>
        </undeleteResponse></soapenv:Body></soapenv:Envelope>"#;

    #[test]
    fn results_by_id() {
        let answer = Response::new(Bytes::from_static(ANSWER.as_bytes()));
        let results = read(&answer, 2).unwrap();
        assert_eq!((results[0].id.as_deref(), results[0].success), (Some("003000000000001AAA"), true));
        assert!(results[0].errors.is_empty());
        let failed = &results[1];
        assert_eq!((failed.id.as_deref(), failed.success), (None, false));
        assert_eq!(failed.errors[0].code(), &ErrorCode::UndeleteFailed);
        assert_eq!(failed.errors[0].fields(), ["Id"]);
        assert_eq!(failed.errors[0].message(), "entity is not in the recycle bin");
    }

    #[test]
    fn what_is_no_answer() {
        for (body, expected) in
            [(ANSWER, 3), ("<html/>", 1), ("", 1), ("{}", 1), (&ANSWER.replace("undeleteR", "r"), 2)]
        {
            let error = read(&Response::new(Bytes::from(body.to_owned())), expected).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{body}");
        }
    }
}
