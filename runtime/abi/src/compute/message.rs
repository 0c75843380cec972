//! Heads of requests and responses, and the bound on what their headers take.

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::{Status, Stop};

/// What the headers of one message may take, in bytes.
const HEADERS_BYTES_MAX: u64 = 128 << 10;
/// What a header takes beside its name and value.
const HEADER_COST_BYTES: u64 = 32;

/// Headers of one message, and what they take.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    map: HeaderMap,
    bytes: u64,
}

impl From<HeaderMap> for Headers {
    /// Those of a visitor or a backend, whose number and length the server has checked.
    fn from(map: HeaderMap) -> Headers {
        let bytes = Headers::cost_of(&map);
        Headers { map, bytes }
    }
}

fn header_cost(name: &HeaderName, value: &HeaderValue) -> u64 {
    (name.as_str().len() + value.len()) as u64 + HEADER_COST_BYTES
}

impl Headers {
    /// What these take, in bytes.
    pub(super) fn cost_of(map: &HeaderMap) -> u64 {
        map.iter().map(|(name, value)| header_cost(name, value)).sum()
    }

    pub(super) fn map(&self) -> &HeaderMap {
        &self.map
    }

    pub(super) fn into_map(self) -> HeaderMap {
        self.map
    }

    pub(super) fn cost(&self) -> u64 {
        self.bytes
    }

    pub(super) fn append(&mut self, name: HeaderName, value: HeaderValue) -> Result<(), Stop> {
        let cost = header_cost(&name, &value);
        if self.bytes + cost > HEADERS_BYTES_MAX {
            return Err(Status::HttpHeadTooLarge.into());
        }
        self.map.try_append(name, value).map_err(|_| Status::HttpHeadTooLarge)?;
        self.bytes += cost;
        Ok(())
    }

    /// Puts values in the place of those that a name had.
    pub(super) fn set(&mut self, name: HeaderName, values: Vec<HeaderValue>) -> Result<(), Stop> {
        self.remove(&name);
        values.into_iter().try_for_each(|value| self.append(name.clone(), value))
    }

    /// False when there was none.
    pub(super) fn remove(&mut self, name: &HeaderName) -> bool {
        let Entry::Occupied(entry) = self.map.entry(name) else { return false };
        let (name, values) = entry.remove_entry_mult();
        self.bytes -= values.map(|value| header_cost(&name, &value)).sum::<u64>();
        true
    }
}

/// A message whose headers guests read and change.
pub(crate) trait Message {
    fn headers(&self) -> &Headers;
    fn headers_mut(&mut self) -> &mut Headers;
}

/// The visitor's request, or one that a guest makes.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) headers: Headers,
}

impl Request {
    pub(super) fn cost(&self) -> u64 {
        let path = self.uri.path_and_query().map_or(0, |path| path.as_str().len());
        self.headers.cost() + (path + self.uri.host().map_or(0, str::len) + self.method.as_str().len()) as u64
    }
}

impl Default for Request {
    fn default() -> Request {
        Request { method: Method::GET, uri: Uri::from_static("/"), version: Version::HTTP_11, headers: Headers::default() }
    }
}

impl Message for Request {
    fn headers(&self) -> &Headers {
        &self.headers
    }

    fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }
}

/// The answer to the visitor, or one that a backend gave.
#[derive(Debug)]
pub(crate) struct Response {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: Headers,
}

impl Default for Response {
    fn default() -> Response {
        Response { status: StatusCode::OK, version: Version::HTTP_11, headers: Headers::default() }
    }
}

impl Message for Response {
    fn headers(&self) -> &Headers {
        &self.headers
    }

    fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }
}

/// Versions, by the numbers that guests know.
const VERSIONS: [Version; 5] = [Version::HTTP_09, Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3];

pub(super) fn version_number(version: Version) -> u32 {
    VERSIONS.iter().position(|known| *known == version).unwrap_or(2) as u32
}

pub(super) fn version(number: u32) -> Result<Version, Status> {
    VERSIONS.get(number as usize).copied().ok_or(Status::Inval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_know_what_they_take() {
        let (name, value) = (HeaderName::from_static("a"), HeaderValue::from_static("bc"));
        let mut headers = Headers::default();
        headers.append(name.clone(), value.clone()).unwrap();
        headers.append(name.clone(), value.clone()).unwrap();
        assert_eq!(headers.cost(), 2 * (3 + HEADER_COST_BYTES));
        assert_eq!(Headers::from(headers.map().clone()).cost(), headers.cost());
        headers.set(name.clone(), vec![value]).unwrap();
        assert_eq!(headers.cost(), 3 + HEADER_COST_BYTES);
        assert!(headers.remove(&name) && !headers.remove(&name));
        assert_eq!(headers.cost(), 0);
        let long = HeaderValue::from_bytes(&vec![b'x'; HEADERS_BYTES_MAX as usize]).unwrap();
        assert!(matches!(headers.append(name, long), Err(Stop::Status(Status::HttpHeadTooLarge))));
    }
}
