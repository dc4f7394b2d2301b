//! HTTP as values: what the filter asks of the `pulsar-admin` cluster, and what comes back.

/// A request as it leaves the filter. Transport (a thread, a scripted broker) is the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `PUT`, `POST`, `DELETE`.
    pub method: String,
    /// Path with query, as in `:path`.
    pub path: String,
    /// Headers without the pseudo headers, in order.
    pub headers: Vec<(String, String)>,
    /// Request body, empty if none.
    pub body: Vec<u8>,
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code, 100–599.
    pub status: u16,
    /// Headers in order, without `:status`.
    pub headers: Vec<(String, String)>,
    /// The body, empty if none.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// An answer without headers or body.
    pub fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.to_string().into_bytes(),
        }
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
