//! The heads of requests as they came over the wire. The parser behind it makes the best of a head that says its length twice or ends its lines as no
//! client should; where a proxy in front makes something else of it, one visitor's bytes become another's request (RFC 9112, 11.2). So such heads are
//! refused, and the connection is closed.
//!
//! ```text
//!   bytes ─► received ─► head │ body (Content-Length, passed over) │ head …          chunked: the last request of its connection
//!                         └─► judge_next(), when the parser gives a request
//! ```
//! It follows what it hears: a body of known length is passed over, after one of unknown length no request is taken. Nothing here decides what a request
//! means; the parser does.

const END: &[u8] = b"\r\n\r\n";

/// Bytes of one connection that belong to heads.
#[derive(Debug)]
pub struct Heads {
    bytes: Vec<u8>,
    bytes_max: usize,
    body_bytes_left: u64,
    over: bool,
}

/// How the body of a sound request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// The connection may serve another request.
    Known,
    /// This is the last request of its connection.
    Last,
}

/// Why a request is not answered, as a sentence.
pub type Refused = &'static str;

impl Heads {
    /// `bytes_max`: what the parser may hold that it has not parsed.
    pub fn new(bytes_max: usize) -> Heads {
        Heads { bytes: Vec::new(), bytes_max, body_bytes_left: 0, over: false }
    }

    /// What was read from the connection.
    pub fn received(&mut self, bytes: &[u8]) {
        if self.over {
            return;
        }
        let of_body = self.body_bytes_left.min(bytes.len() as u64);
        self.body_bytes_left -= of_body;
        let rest = &bytes[of_body as usize..];
        // More than the parser takes: it refuses that by itself.
        if self.bytes.len() + rest.len() > self.bytes_max.saturating_mul(2) {
            self.over = true;
        }
        self.bytes.extend_from_slice(rest);
    }

    /// The parser gave a request: is its head what it seems?
    pub fn judge_next(&mut self) -> Result<Framing, Refused> {
        let result = if self.over { Err("An earlier request was the last of this connection.") } else { self.judge() };
        if result != Ok(Framing::Known) {
            self.over = true;
            self.bytes = Vec::new();
        }
        result
    }

    fn judge(&mut self) -> Result<Framing, Refused> {
        let begin = self.bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(0);
        let Some(length) = find(&self.bytes[begin..], END) else {
            return Err("The lines of a request's head end in CR LF, and so does the head.");
        };
        let end = begin + length + END.len();
        let body_bytes = body_bytes(&self.bytes[begin..begin + length])?;
        let rest = (self.bytes.len() - end) as u64;
        let Some(body_bytes) = body_bytes else { return Ok(Framing::Last) };
        let of_body = body_bytes.min(rest);
        self.bytes.drain(..end + of_body as usize);
        self.body_bytes_left = body_bytes - of_body;
        Ok(Framing::Known)
    }
}

/// Of a head without its end; none where the body's end is found in the body only.
fn body_bytes(head: &[u8]) -> Result<Option<u64>, Refused> {
    let (mut length, mut chunked) = (None, false);
    for line in head.split(|byte| *byte == b'\n').enumerate().map(|(number, line)| (number, line.strip_suffix(b"\r").unwrap_or(line))) {
        let (number, line) = line;
        if line.contains(&b'\r') {
            return Err("A line of a request's head holds a carriage return.");
        }
        if number == 0 {
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default().trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let said = std::str::from_utf8(value).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
            let said: u64 = said.and_then(|digits| digits.parse().ok()).ok_or("Content-Length is not one whole number.")?;
            if length.replace(said).is_some() {
                return Err("A request has one Content-Length.");
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err("The only Transfer-Encoding that is understood is one that says chunked.");
            }
            chunked = true;
        }
    }
    if bare_line_feed(head) {
        return Err("The lines of a request's head end in CR LF.");
    }
    match (length, chunked) {
        (Some(_), true) => Err("A request has either a Content-Length or a Transfer-Encoding."),
        (length, false) => Ok(Some(length.unwrap_or(0))),
        (None, true) => Ok(None),
    }
}

fn bare_line_feed(head: &[u8]) -> bool {
    head.iter().enumerate().any(|(index, byte)| *byte == b'\n' && (index == 0 || head[index - 1] != b'\r'))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &str, expected: &[Result<Framing, ()>]) {
        for piece in [1, 7, bytes.len()] {
            let mut heads = Heads::new(4_096);
            bytes.as_bytes().chunks(piece).for_each(|piece| heads.received(piece));
            let told: Vec<_> = expected.iter().map(|_| heads.judge_next().map_err(drop)).collect();
            assert_eq!(told, expected, "{bytes:?} in pieces of {piece}");
        }
    }

    const KNOWN: Result<Framing, ()> = Ok(Framing::Known);
    const LAST: Result<Framing, ()> = Ok(Framing::Last);

    #[test]
    fn requests_follow_one_another_over_their_bodies() {
        check("GET / HTTP/1.1\r\nHost: x\r\n\r\n", &[KNOWN, Err(())]);
        check("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n", &[KNOWN, KNOWN]);
        check("POST / HTTP/1.1\r\ncontent-LENGTH: 19\r\n\r\nGET / HTTP/1.1\r\n\r\n-\r\nGET / HTTP/1.1\r\n\r\n", &[KNOWN, KNOWN, Err(())]);
        check("\r\n\r\nGET / HTTP/1.1\r\n\r\n", &[KNOWN]);
        check("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", &[LAST, Err(())]);
    }

    #[test]
    fn a_head_that_can_be_understood_in_two_ways_is_refused() {
        for fields in [
            "Content-Length: 1\r\nContent-Length: 1",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 1",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: identity",
            "Content-Length: +1",
            "Content-Length: 1, 1",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "A: b\nContent-Length: 1",
            "A: b\rContent-Length: 1",
        ] {
            check(&format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n"), &[Err(()), Err(())]);
        }
        check("GET / HTTP/1.1\n\nGET / HTTP/1.1\r\n\r\n", &[Err(())]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut heads = Heads::new(100);
        (0..100).for_each(|_| heads.received(&[b'x'; 50]));
        assert!(heads.bytes.len() <= 250 && heads.judge_next().is_err());
    }
}
