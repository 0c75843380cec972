//! The key under which a piece of code is kept: a digest of all that making it depends on, computed before it is made.
//!
//! *Always*: this build of the compiler, setting, features of the processor, bounds of the policy. *Of code that modules share* ([`shape`]): the first
//! memory and table as far as code depends on them, and the shape of the body. *Of the rest*: everything that the module declares, and the body as it is.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use vivarium_artifact::{Contract, MemoryPlan, TablePlan};

use super::references::References;
use super::shape;
use crate::environment::Environment;
use crate::error::CompileError;
use crate::module::GlobalSource;
use crate::parallel::Job;

/// SHA-256.
pub type Key = [u8; 32];

/// Tells builds of the compiler apart, whatever their version: a digest of its source and of what it is linked with.
pub const BUILD: &str = env!("VIVARIUM_COMPILER_BUILD");

/// Which code a job asks for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// None when no cache is used and the key would be of no use.
    pub key: Option<Key>,
    /// What is filled in, when the code is shared.
    pub references: Option<References>,
}

/// Keys of one module's code.
pub struct Keys {
    shared: Sha256,
    whole: Sha256,
    /// Without a cache only references are looked for.
    wanted: bool,
}

impl Keys {
    pub fn new(environment: &Environment<'_>, wanted: bool) -> Keys {
        let mut bytes = Vec::new();
        if wanted {
            encode_target(&mut bytes, environment);
        }
        let target = Sha256::new_with_prefix(&bytes);
        let (mut shared, mut whole) = (target.clone(), target);
        if wanted {
            shared.update([1]);
            shared.update(encoded(|bytes| encode_places(bytes, environment.contract())));
            whole.update([2]);
            whole.update(encoded(|bytes| encode_module(bytes, environment)));
        }
        Keys { shared, whole, wanted }
    }

    pub fn of(&self, environment: &Environment<'_>, job: Job) -> Result<Wanted, CompileError> {
        // Nothing in the product is linked: there is no use in keeping such code.
        if environment.contract().linked {
            return Ok(Wanted::default());
        }
        if let Some(shared) = self.shared(environment, job)? {
            return Ok(shared);
        }
        let key = self.wanted.then(|| finish(&self.whole, &encoded(|bytes| encode_job(bytes, environment, job))));
        Ok(Wanted { key, references: None })
    }

    fn shared(&self, environment: &Environment<'_>, job: Job) -> Result<Option<Wanted>, CompileError> {
        if !environment.shares_code {
            return Ok(None);
        }
        let module = environment.module;
        let (kind, bytes, references) = match job {
            Job::Function { index, body: Some(body) } => {
                let Some(shape) = shape::shape(environment, &module.bodies[body as usize], index)? else { return Ok(None) };
                (0, shape.bytes, shape.references)
            }
            Job::Function { index, body: None } => {
                (1, encoded(|bytes| encode(bytes, &module.imports[index as usize].ty)), References::of_import(index))
            }
            Job::Builtin(builtin) => (2, (builtin as u32).to_le_bytes().to_vec(), References::default()),
            Job::Entry(number) => (3, encoded(|bytes| encode(bytes, module.signature(number))), References::default()),
            Job::Throw(tag) => (4, encoded(|bytes| encode(bytes, module.tag_parameters(tag))), References::of_tag(tag)),
            Job::Foreign(_) | Job::Initializer => return Ok(None),
        };
        let key = self.wanted.then(|| {
            let mut digest = self.shared.clone();
            digest.update([kind]);
            finish(&digest, &bytes)
        });
        Ok(Some(Wanted { key, references: Some(references) }))
    }
}

fn finish(prefix: &Sha256, bytes: &[u8]) -> Key {
    prefix.clone().chain_update(bytes).finalize().into()
}

fn encode_target(bytes: &mut Vec<u8>, environment: &Environment<'_>) {
    let contract = environment.contract();
    let policy = environment.policy;
    encode(bytes, &(BUILD, contract.setting, &contract.cpu_features));
    encode(bytes, &(policy.operators_of_function_max, policy.values_of_function_max, policy.frame_bytes_max, policy.clauses_of_call_max));
}

/// What shared code depends on beside its body: whether lengths are fixed, and all about memory but how much of it there is at first. Of a memory without
/// guard that too: no check is made of what lies below the least length that it can have.
fn encode_places(bytes: &mut Vec<u8>, contract: &Contract) {
    let memory = |plan: &MemoryPlan| match plan.minimum_pages == plan.maximum_pages || !plan.is_guarded() {
        true => plan.clone(),
        false => MemoryPlan { minimum_pages: 0, image_bytes: 0, ..plan.clone() },
    };
    let table = |plan: &TablePlan| match plan.minimum == plan.capacity {
        true => TablePlan { minimum: 0, capacity: 0, declared_maximum: None, ..plan.clone() },
        false => TablePlan { minimum: 0, ..plan.clone() },
    };
    encode(bytes, &contract.memories.iter().map(memory).collect::<Vec<_>>());
    encode(bytes, &contract.tables.iter().map(table).collect::<Vec<_>>());
}

/// All that the translation of a body may ask about its module.
fn encode_module(bytes: &mut Vec<u8>, environment: &Environment<'_>) {
    let module = environment.module;
    // Whatever is in the contract counts but for what says nothing about code.
    let contract = Contract { wasm_sha256: [0; 32], exports: vec![], entries: vec![], ..environment.contract().clone() };
    encode(bytes, &contract);
    encode(bytes, &module.types);
    for global in &module.globals {
        // A constant is in the code of whoever reads it; what another global begins with is in the image.
        if let (GlobalSource::Constant(bits), false) = (&global.source, global.ty.mutable) {
            encode(bytes, bits);
        }
    }
    encode(bytes, &module.data.iter().map(|segment| segment.mode.is_passive()).collect::<Vec<_>>());
    encode(bytes, &module.elements.iter().map(|segment| segment.mode.is_passive()).collect::<Vec<_>>());
}

fn encode_job(bytes: &mut Vec<u8>, environment: &Environment<'_>, job: Job) {
    let module = environment.module;
    match job {
        Job::Function { index, body: Some(body) } => {
            encode(bytes, &(0, module.function_type(index)));
            bytes.extend_from_slice(module.bodies[body as usize].as_bytes());
        }
        Job::Function { index, body: None } => encode(bytes, &(1, index)),
        Job::Builtin(builtin) => encode(bytes, &(2, builtin as u32)),
        Job::Entry(number) => encode(bytes, &(3, number)),
        Job::Foreign(number) => encode(bytes, &(4, number)),
        Job::Initializer => encode(bytes, &5),
        Job::Throw(tag) => encode(bytes, &(6, tag)),
    }
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes);
    bytes
}

/// Appends a value in a form that no other value has.
pub fn encode<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) {
    *bytes = postcard::to_extend(value, std::mem::take(bytes)).expect("numbers, names and lists of them can be encoded in memory");
}
