//! Messages over a worker's standard input and output: a length of four bytes, little-endian, then postcard.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vivarium_artifact::Setting;
use vivarium_compiler::{ImportPolicy, Policy};

use super::pool::Stage;
use crate::control::messages::SourcePlace;
use crate::limits::Limits;

/// A longer frame is a mistake of the other side: the largest image and the code of the largest wasm are well below it.
pub const FRAME_BYTES_MAX: usize = 256 << 20;
/// What is read at once: memory grows with what really arrives, not with what a length promises.
const READ_BYTES: usize = 256 << 10;
/// How often a wait looks whether it is still wanted.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// From the pool to a worker. The first frame is the setting-up, each further one a job.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToWorker {
    Setup {
        bounds: Bounds,
        /// Others come first.
        in_background: bool,
    },
    /// Code of functions for every job from now on.
    Share { pack: Blob },
    Compile {
        wasm: Blob,
        setting: Setting,
        /// Code of functions for this job.
        own: Blob,
        /// Of what becomes of `own`, in bytes.
        own_bytes_max: u64,
    },
}

/// Bytes that are copied as one, not encoded each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The bounds of the compiler's policy.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Bounds {
    pub compile_memory_bytes_max: u64,
    pub wasm_bytes_max: u64,
    pub memory_bytes_max: u64,
    pub table_elements_max: u64,
    pub stack_bytes: u64,
}

impl Bounds {
    pub fn of(limits: &Limits) -> Bounds {
        Bounds {
            compile_memory_bytes_max: limits.compile_memory_bytes_max,
            wasm_bytes_max: limits.wasm_bytes_max as u64,
            memory_bytes_max: limits.memory_bytes_max,
            table_elements_max: limits.table_elements_max,
            stack_bytes: limits.stack_bytes,
        }
    }

    /// What a program may import and how much it gets, whoever compiles it.
    pub fn policy(self) -> Policy {
        Policy {
            imports: ImportPolicy::new(vivarium_abi::imports()),
            memory_bytes_max: self.memory_bytes_max,
            table_elements_max: self.table_elements_max,
            stack_bytes: self.stack_bytes,
            wasm_bytes_max: self.wasm_bytes_max,
            ..Policy::default()
        }
    }
}

/// From a worker to the pool.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// Confined and warm.
    Ready,
    /// It cannot work here, for this reason.
    Unable {
        sentence: String,
    },
    Progress {
        stage: Stage,
        done: u32,
        total: u32,
    },
    Compiled(Product),
    /// The module is refused, for this reason.
    Refused {
        sentence: String,
        place: Option<SourcePlace>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Product {
    pub elf: Blob,
    /// The wasm that the artifact is of and that is to be kept, where that is not what was sent: with a table of lines for its debug information.
    pub condensed: Option<Blob>,
    /// What `own` has become, when something was added to it.
    pub own: Option<Blob>,
    /// Functions that were not compiled because their code was there, and all of them; trampolines count.
    pub functions_found: u32,
    pub functions: u32,
    pub validate_us: f64,
    pub translate_us: f64,
    pub codegen_us: f64,
    pub link_us: f64,
    pub is_service: bool,
    /// Imports that are known and not implemented, as `module.name`.
    pub stubs: Vec<String>,
    pub exports: Vec<String>,
    /// Why it can be compiled but not run, when that is so.
    pub not_runnable: Option<String>,
}

/// Writes one frame; blocks.
pub fn write<M: Serialize>(to: &mut impl Write, message: &M) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.flush()
}

/// Reads one frame; blocks. None at the end of the stream.
pub fn read<M: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<M>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let length = checked(u32::from_le_bytes(length))?;
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    decode(&bytes).map(Some)
}

fn encode<M: Serialize>(message: &M) -> io::Result<Vec<u8>> {
    let mut bytes = postcard::to_extend(message, vec![0; 4]).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    checked(length)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

fn decode<M: DeserializeOwned>(bytes: &[u8]) -> io::Result<M> {
    postcard::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn checked(length: u32) -> io::Result<usize> {
    let length = length as usize;
    if length <= FRAME_BYTES_MAX { Ok(length) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is longer than it may be")) }
}

/// Why a patient end gave up.
#[derive(Debug)]
pub enum Interrupted {
    /// The other side is gone or does not keep to the format.
    Broken(io::Error),
    TimedOut,
    Cancelled,
}

/// Until when to wait for a worker, and whether anybody still wants its answer.
pub struct Patience<'p> {
    pub deadline: Instant,
    pub cancelled: &'p dyn Fn() -> bool,
}

impl Patience<'_> {
    /// Writes a frame to a pipe that does not block.
    pub fn write<M: Serialize>(&self, to: &mut (impl Write + AsFd), message: &M) -> Result<(), Interrupted> {
        let bytes = encode(message).map_err(Interrupted::Broken)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match to.write(rest) {
                Ok(0) => return Err(Interrupted::Broken(io::ErrorKind::WriteZero.into())),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(&*to, PollFlags::OUT)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Interrupted::Broken(error)),
            }
        }
        Ok(())
    }

    /// Reads a frame from a pipe that does not block.
    pub fn read<M: DeserializeOwned>(&self, from: &mut (impl Read + AsFd)) -> Result<M, Interrupted> {
        let length = self.read_bytes(from, 4)?;
        let length = length.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
        let bytes = self.read_bytes(from, checked(length).map_err(Interrupted::Broken)?)?;
        decode(&bytes).map_err(Interrupted::Broken)
    }

    fn read_bytes(&self, from: &mut (impl Read + AsFd), length: usize) -> Result<Vec<u8>, Interrupted> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let before = bytes.len();
            bytes.resize(length.min(before + READ_BYTES), 0);
            let read = from.read(&mut bytes[before..]);
            bytes.truncate(before + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(Interrupted::Broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(&*from, PollFlags::IN)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Interrupted::Broken(error)),
            }
        }
        Ok(bytes)
    }

    fn wait(&self, pipe: &impl AsFd, readiness: PollFlags) -> Result<(), Interrupted> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if (self.cancelled)() {
            return Err(Interrupted::Cancelled);
        }
        if left.is_zero() {
            return Err(Interrupted::TimedOut);
        }
        let timeout = left.min(LOOK_INTERVAL).try_into().ok();
        match poll(&mut [PollFd::new(pipe, readiness)], timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(Interrupted::Broken(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn never() -> bool {
        false
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let mut bytes = Vec::new();
        write(&mut bytes, &FromWorker::Progress { stage: Stage::Codegen, done: 3, total: 7 }).unwrap();
        write(&mut bytes, &FromWorker::Refused { sentence: "no".into(), place: None }).unwrap();
        let mut reader = Cursor::new(bytes);
        assert!(matches!(read(&mut reader).unwrap(), Some(FromWorker::Progress { done: 3, .. })));
        assert!(matches!(read(&mut reader).unwrap(), Some(FromWorker::Refused { .. })));
        assert!(read::<FromWorker>(&mut reader).unwrap().is_none());
    }

    #[test]
    fn a_blob_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        write(&mut bytes, &ToWorker::Share { pack: Blob(vec![1, 2, 255]) }).unwrap();
        let Some(ToWorker::Share { pack }) = read(&mut Cursor::new(bytes)).unwrap() else { panic!("it is a pack") };
        assert_eq!(pack.0, [1, 2, 255]);
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        assert!(read::<FromWorker>(&mut Cursor::new(u32::MAX.to_le_bytes())).is_err());
        assert!(read::<FromWorker>(&mut Cursor::new([100, 0, 0, 0, 1])).is_err());
    }

    #[test]
    fn a_silent_worker_is_given_up() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let mut reader = std::fs::File::from(reader);
        let patience = Patience { deadline: Instant::now() + Duration::from_millis(30), cancelled: &never };
        assert!(matches!(patience.read::<FromWorker>(&mut reader), Err(Interrupted::TimedOut)));
        let patience = Patience { deadline: Instant::now() + Duration::from_secs(60), cancelled: &|| true };
        assert!(matches!(patience.read::<FromWorker>(&mut reader), Err(Interrupted::Cancelled)));
        let mut writer = std::fs::File::from(writer);
        write(&mut writer, &FromWorker::Ready).unwrap();
        let patience = Patience { deadline: Instant::now() + Duration::from_secs(60), cancelled: &never };
        assert!(matches!(patience.read(&mut reader), Ok(FromWorker::Ready)));
        drop(writer);
        assert!(matches!(patience.read::<FromWorker>(&mut reader), Err(Interrupted::Broken(_))));
    }
}
