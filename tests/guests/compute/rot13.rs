use std::io::{Read as _, Write as _};

use fastly::{Request, Response};

fn rotated(letter: u8) -> u8 {
    match letter {
        b'a'..=b'z' => (letter - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (letter - b'A' + 13) % 26 + b'A',
        other => other,
    }
}

fn main() {
    let mut visitor = Request::from_client().take_body();
    let mut answer = Response::new().stream_to_client();
    let mut piece = [0; 16 << 10];
    loop {
        let len = visitor.read(&mut piece).unwrap();
        if len == 0 {
            break;
        }
        let piece: Vec<u8> = piece[..len].iter().map(|letter| rotated(*letter)).collect();
        answer.write_all(&piece).unwrap();
        answer.flush().unwrap();
    }
    answer.finish().unwrap();
}
