//! prints: 258 leaf
use bytes::{Buf, BufMut, BytesMut};

fn main() {
    let mut buffer = BytesMut::new();
    buffer.put_u16(258);
    buffer.put(&b"leaf"[..]);
    let mut bytes = buffer.freeze();
    println!("{} {}", bytes.get_u16(), std::str::from_utf8(&bytes).unwrap());
}
