//! A hostile guest: random functions of WASI with random arguments over random memory, and random output. Nothing may panic, and a refused call
//! changes nothing. Those of the Compute ABI have a test of their own beside them.

use bytes::Bytes;

use crate::answer::Answer;
use crate::cgi;
use crate::host::{Host, HostInput, HostLimits};
use crate::log::LogLines;
use crate::program::Kind;
use crate::table::{HostFunction, table};
use crate::testing::{Guest, host_with};
use crate::wasi::Errno;

const CALLS: u32 = 5_000_000;
const CALLS_OF_A_HOST: u32 = 50;
const MEMORY_BYTES: usize = 2048;

/// SplitMix64: the same calls in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Numbers of the kinds that find mistakes: small ones, the edges of memory and of the types, anything.
    pub(crate) fn argument(&mut self, memory_bytes: usize) -> u64 {
        let memory = memory_bytes as u64;
        match self.below(8) {
            0..=2 => self.below(5),
            3 | 4 => self.below(memory),
            5 => memory - 40 + self.below(48),
            6 => u64::from(u32::MAX) - self.below(64),
            _ => self.next(),
        }
    }
}

/// Memory that looks like iovecs and subscriptions more often than chance would have it.
fn scribble(random: &mut Random, guest: &mut Guest) {
    let tame = random.below(2) == 0;
    for at in (0..MEMORY_BYTES).step_by(4) {
        let word = if tame { random.below(3) } else { random.argument(MEMORY_BYTES) };
        guest.put(at, &(word as u32).to_le_bytes());
    }
}

/// Any function of WASI, implemented ones more often.
fn any_function(random: &mut Random) -> HostFunction {
    loop {
        let row = &table()[random.below(table().len() as u64) as usize];
        if row.module.starts_with("wasi") && (row.implemented() || random.below(8) == 0) {
            return HostFunction::find(row.module, row.name).unwrap();
        }
    }
}

fn fresh_host(random: &mut Random) -> Host {
    let input = HostInput {
        arguments: vec!["program".into(), "x".repeat(random.below(40) as usize)],
        environment: vec![("HOME".into(), "y".repeat(random.below(40) as usize))],
        stdin: Bytes::from(vec![7; random.below(4096) as usize]),
        ..HostInput::default()
    };
    host_with(input, HostLimits { stdout_bytes_max: 512, stderr_bytes_max: 512, ..HostLimits::default() })
}

#[test]
fn no_call_panics_and_a_refused_one_changes_nothing() {
    let mut random = Random(2026);
    let mut guest = Guest::with_memory(MEMORY_BYTES);
    let mut host = fresh_host(&mut random);
    let (mut succeeded, mut refused, mut waited, mut limited) = (0, 0, 0, 0);
    for n in 0..CALLS {
        if n % CALLS_OF_A_HOST == 0 {
            host = fresh_host(&mut random);
        }
        if n % 8 == 0 {
            scribble(&mut random, &mut guest);
        }
        let function = any_function(&mut random);
        guest.arguments = (0..function.row().parameters.len()).map(|_| random.argument(MEMORY_BYTES)).collect();
        let before = (guest.memory.clone(), host.stdin.len(), host.stdout().len());
        let answer = host.call_function(function, &mut guest);
        let after = (&guest.memory, host.stdin.len(), host.stdout().len());
        match answer {
            Answer::Return(values) if values.as_slice() == [0] => succeeded += 1,
            Answer::Return(values) => {
                assert_eq!((&before.0, before.1, before.2), after, "{}{:?} changed something", function.row().name, guest.arguments);
                refused += usize::from(values.as_slice() == [Errno::Fault as u64]);
            }
            Answer::Wait(_) => {
                waited += 1;
                host.finish_wait(&mut guest);
            }
            Answer::Limit(_) => limited += 1,
            Answer::Exit(_) => {}
            Answer::Failed(failure) => panic!("{failure}"),
        }
        host.take_log_lines();
    }
    let enough = succeeded > 10_000 && refused > 10_000 && waited > 100 && limited > 50;
    assert!(enough, "the calls miss a kind of answer: {succeeded} succeeded, {refused} refused, {waited} waited, {limited} limited");
}

const OUTPUTS: u32 = 100_000;

/// What output is put together from.
#[rustfmt::skip]
const FRAGMENTS: &[&[u8]] = &[
    b"Content-Type:", b"Status:", b"Location", b"Set-Cookie: a=1;", b"Domain=x", b"Content-Length: 3", b"X-A", b": ", b":", b";", b"=",
    b" ", b"\t", b"\n", b"\n", b"\n\n", b"\r\n", b"\r", b"\0", b"\x1b", b"\x1b[", b"\x1b]", b"\x07", b"404", b"99", b"text/html",
    b"<html>", b"\xc3\xa4", b"\xc3", b"\xf0\x9f", b"\x80", b"\xff", b"0123456789", b"\0asm\x01\0\0\0", b"\x0b\x03", b"QUERY_STRIN",
    b"G",
];

fn any_output(random: &mut Random) -> Vec<u8> {
    let mut output = if random.below(2) == 0 { b"Status: 200\n".to_vec() } else { Vec::new() };
    for _ in 0..random.below(24) {
        output.extend_from_slice(FRAGMENTS[random.below(FRAGMENTS.len() as u64) as usize]);
    }
    output
}

#[test]
fn no_output_panics() {
    let mut random = Random(3875);
    let (mut parsed, mut broken) = (0, 0);
    for _ in 0..OUTPUTS {
        let output = any_output(&mut random);
        match cgi::parse(&output) {
            Ok(response) => {
                assert!(response.body_start <= output.len());
                assert!(!response.headers.contains_key("content-length"));
                parsed += usize::from(response.body_start > 0);
            }
            Err(error) => {
                assert!(!error.to_string().contains(char::is_control));
                broken += 1;
            }
        }
        let mut lines = LogLines::new(random.below(16) as usize, 8, 64);
        lines.push(&output);
        lines.truncate();
        assert!(lines.take().iter().all(|line| !line.text.contains(|character: char| character.is_control() && character != '\t')));
        Kind::of(&[], &output);
    }
    assert!(parsed > 500 && broken > 500, "the outputs miss a kind: {parsed} have a header block, {broken} are broken");
}
