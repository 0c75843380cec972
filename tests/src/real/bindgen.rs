//! What modules of wasm-bindgen import: values of JavaScript, as far as these modules need them, by number.

use super::{Guest, Imports};

/// Numbers below are what wasm-bindgen takes for its own stack; these four are fixed.
const UNDEFINED: u64 = 128;
const NULL: u64 = 129;
const FIRST_FREE: usize = 132;

/// A value that the guest knows by number.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Undefined,
    Text(String),
    /// The guest's memory, or its buffer.
    Memory,
    /// Bytes in the guest's memory.
    View {
        address: u64,
        bytes: u64,
    },
    /// Bytes of their own.
    Bytes(Vec<u8>),
    Array(Vec<Value>),
    Numbers(Vec<f32>),
    Error(String),
    /// The global one, or its clock, which stands still.
    Object,
}

/// All values that the guest has a number of.
#[derive(Debug)]
pub struct Values {
    values: Vec<Value>,
    /// The export that gives memory: its name differs between builds.
    malloc: &'static str,
}

impl Values {
    pub fn new(malloc: &'static str) -> Values {
        Values { values: vec![Value::Undefined; FIRST_FREE], malloc }
    }

    /// Gives a value a number.
    pub fn add(&mut self, value: Value) -> u64 {
        self.values.push(value);
        self.values.len() as u64 - 1
    }

    /// The value of a number.
    pub fn get(&self, number: u64) -> &Value {
        &self.values[number as u32 as usize]
    }

    /// Puts bytes into memory that the guest allocates for them: address and length.
    pub fn pass(&mut self, guest: &mut Guest, bytes: &[u8]) -> [u64; 2] {
        let arguments = [bytes.len() as u64, 1];
        let wanted = guest.parameters(self.malloc);
        let malloc = self.malloc;
        let address = guest.call_one(self, malloc, &arguments[..wanted]);
        guest.write(address, bytes);
        [address, bytes.len() as u64]
    }

    /// Calls a function that returns several values through memory.
    pub fn call_returning(&mut self, guest: &mut Guest, export: &str, arguments: &[u64], values: u64) -> Vec<u64> {
        let place = guest.call_one(self, "__wbindgen_add_to_stack_pointer", &[-16i64 as u32 as u64]);
        guest.call(self, export, &[&[place], arguments].concat());
        let results = (0..values).map(|index| guest.read_u32(place + 4 * index)).collect();
        guest.call(self, "__wbindgen_add_to_stack_pointer", &[16]);
        results
    }

    fn text(&self, guest: &Guest, address: u64, bytes: u64) -> String {
        String::from_utf8_lossy(guest.read(address, bytes)).into_owned()
    }

    /// `new` of whatever the arguments tell: an array, bytes, an error.
    fn construct(&self, guest: &Guest, arguments: &[u64]) -> Value {
        match *arguments {
            [] => Value::Array(vec![]),
            [source] => match self.get(source) {
                Value::Memory => Value::View { address: 0, bytes: u64::MAX },
                Value::View { address, bytes } => Value::Bytes(guest.read(*address, *bytes).to_vec()),
                other => panic!("bytes of {other:?}"),
            },
            [address, bytes] => Value::Error(self.text(guest, address, bytes)),
            _ => panic!("new with {arguments:?}"),
        }
    }

    /// `target.set(source, offset)`.
    fn set(&mut self, guest: &mut Guest, target: u64, source: u64, offset: u64) {
        let bytes = match self.get(source) {
            Value::Bytes(bytes) => bytes.clone(),
            Value::View { address, bytes } => guest.read(*address, *bytes).to_vec(),
            other => panic!("bytes of {other:?}"),
        };
        match self.values[target as usize] {
            Value::View { address, .. } => guest.write(address + offset, &bytes),
            Value::Bytes(ref mut target) => target[offset as usize..][..bytes.len()].copy_from_slice(&bytes),
            ref other => panic!("bytes go to {other:?}"),
        }
    }
}

/// A function's name without the hash that wasm-bindgen ends it with.
fn plain(name: &str) -> &str {
    let name = name.trim_start_matches("__wbg_").trim_start_matches("__wbindgen_");
    name.rsplit_once('_').filter(|(_, hash)| hash.len() == 16).map_or(name, |(name, _)| name)
}

impl Imports for Values {
    fn answer(&mut self, name: &str, arguments: &[u64], guest: &mut Guest) -> Option<u64> {
        let arguments: Vec<u64> = arguments.iter().map(|bits| u64::from(*bits as u32)).collect();
        let made = match (plain(name), &arguments[..]) {
            ("object_drop_ref", _) => return None,
            ("throw", &[address, bytes]) => panic!("the guest throws: {}", self.text(guest, address, bytes)),
            ("is_undefined", &[number]) => return Some((number == UNDEFINED || *self.get(number) == Value::Undefined).into()),
            ("is_object", &[number]) => return Some((number != NULL && *self.get(number) != Value::Undefined).into()),
            ("instanceof_Uint8Array", &[number]) => return Some(matches!(self.get(number), Value::Bytes(_)).into()),
            ("string_get", &[place, number]) => {
                let [address, bytes] = match self.get(number).clone() {
                    Value::Text(text) => self.pass(guest, text.as_bytes()),
                    _ => [0, 0],
                };
                guest.write(place, &(address as u32).to_le_bytes());
                guest.write(place + 4, &(bytes as u32).to_le_bytes());
                return None;
            }
            ("length", &[number]) => match self.get(number) {
                Value::Bytes(bytes) => return Some(bytes.len() as u64),
                Value::Array(values) => return Some(values.len() as u64),
                other => panic!("the length of {other:?}"),
            },
            ("set", &[target, source, offset]) => {
                self.set(guest, target, source, offset);
                return None;
            }
            ("set_index", &[target, index, bits]) => {
                let Value::Numbers(numbers) = &mut self.values[target as usize] else { panic!("no numbers: {target}") };
                numbers[index as usize] = f32::from_bits(bits as u32);
                return None;
            }
            ("now", _) => return Some(0),
            ("static_accessor_GLOBAL_THIS", []) => Value::Object,
            (name, []) if name.starts_with("static_accessor_") => return Some(0),
            ("performance", _) => Value::Object,
            ("memory" | "buffer", _) => Value::Memory,
            ("newwithbyteoffsetandlength", &[_, address, bytes]) => Value::View { address, bytes },
            ("string_new", &[address, bytes]) => Value::Text(self.text(guest, address, bytes)),
            ("error_new", &[address, bytes]) => Value::Error(self.text(guest, address, bytes)),
            ("stringify" | "object_clone_ref", &[number]) => self.get(number).clone(),
            ("new", arguments) => self.construct(guest, arguments),
            _ => panic!("{name} was called with {arguments:?}"),
        };
        Some(self.add(made))
    }
}
