//! How the proxy tells a gateway that there is no answer of the backend's: a response with headers that none of a backend's can have.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use vivarium_abi::FetchFailure;

const FAILURE: HeaderName = HeaderName::from_static("vivarium-fetch-failure");
const SENTENCE: HeaderName = HeaderName::from_static("vivarium-fetch-sentence");

/// Why a request was not answered, and a sentence for the deployment's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub failure: FetchFailure,
    pub sentence: String,
}

impl Failed {
    pub fn new(failure: FetchFailure, sentence: impl Into<String>) -> Failed {
        Failed { failure, sentence: sentence.into() }
    }

    pub fn response<B: Default>(&self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        let shown: String = self.sentence.chars().filter(|character| (' '..='~').contains(character)).collect();
        response.headers_mut().insert(FAILURE, HeaderValue::from(self.failure.number()));
        response.headers_mut().insert(SENTENCE, HeaderValue::try_from(shown).unwrap_or(HeaderValue::from_static("")));
        response
    }

    /// What a response of the proxy tells, if it is none of a backend's.
    pub fn told(headers: &HeaderMap) -> Option<Failed> {
        let number = headers.get(FAILURE)?.to_str().ok()?.parse().ok()?;
        let failure = FetchFailure::from_number(number).unwrap_or(FetchFailure::Internal);
        let sentence = headers.get(SENTENCE).and_then(|sentence| sentence.to_str().ok()).unwrap_or_default();
        Some(Failed::new(failure, sentence))
    }
}

/// Takes out what only the proxy may say.
pub fn remove_told(headers: &mut HeaderMap) {
    headers.remove(FAILURE);
    headers.remove(SENTENCE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        for failure in FetchFailure::ALL {
            let failed = Failed::new(failure, "the backend has an address that is private");
            assert_eq!(Failed::told(failed.response::<String>().headers()), Some(failed));
        }
        let mut response = Failed::new(FetchFailure::DnsError, "line\r\nbreak\u{e9}").response::<String>();
        assert_eq!(Failed::told(response.headers()).unwrap().sentence, "linebreak");
        remove_told(response.headers_mut());
        assert_eq!(Failed::told(response.headers()), None);
    }
}
