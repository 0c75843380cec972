//! Services of the Compute ABI, built from source by the toolchains and asked without a server: what they answer, log and keep.

use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use vivarium_abi::{Answer, Host, HostInput, HostLimits, Linkage, MemoryKv, Output, Source, Stores, VisitorRequest, entry_point, imports};
use vivarium_artifact::Setting;
use vivarium_runtime::{Exit, LoadedModule};
use vivarium_toolchains::{BuildLimits, Cancel, Language, OpenOptions, SourceLimits, SourceTree, Toolchains};

use crate::engine::{limits, load, policy, pool, run};
use crate::server::{binary, toolchains};

static TOOLCHAINS: LazyLock<Toolchains> =
    LazyLock::new(|| Toolchains::open_with(&toolchains(), &OpenOptions { jail_program: binary(), jail: None }));

/// How much of a body arrives at once.
const PIECE_BYTES: usize = 1000;

/// What a service did for one request.
#[derive(Debug, Default)]
pub struct Served {
    /// 0 when there was no answer.
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The body came to its proper end.
    pub complete: bool,
    pub log: Vec<String>,
    pub exit_code: Option<u32>,
}

/// Builds one source file.
pub fn build(language: Language, source: &str) -> Arc<LoadedModule> {
    let files = [(language.main_file().to_owned(), source.to_owned())].into();
    let tree = SourceTree::new(language, files, &SourceLimits::default()).expect("a source tree");
    let report = TOOLCHAINS.build(&tree, &BuildLimits::default(), &Cancel::new()).expect("the compiler runs");
    let wasm = report.wasm.unwrap_or_else(|| panic!("{}", report.output));
    load(&wasm.bytes, &policy(imports()), Setting::Fast).expect("what our toolchains make compiles")
}

/// Hands a request to a fresh instance. The body arrives in pieces, whenever the guest waits for one.
pub fn serve(module: &Arc<LoadedModule>, request: VisitorRequest, body: &[u8], stores: &Arc<Stores>, kv: &Rc<MemoryKv>) -> Served {
    let linkage = Linkage::resolve(module.contract()).expect("its imports are known");
    let entry = entry_point(module.contract()).expect("it has an entry");
    let input = HostInput { request: Some(request), stores: stores.clone(), kv: Some(kv.clone()), ..HostInput::default() };
    let mut host = Host::new(input, HostLimits::default()).expect("within its limits");
    let mut instance = pool(1).acquire(module, limits()).expect("a slot is free");
    assert!(!instance.initialize().expect("it can be initialized"), "no module of these has a start function");
    instance.invoke(entry, &[]).expect("it can be entered");
    let mut served = Served::default();
    let mut pieces = body.chunks(PIECE_BYTES);
    loop {
        let mut answer = match run(&mut instance) {
            Exit::Done => break,
            Exit::Trapped(trap) => panic!("{}: {:?}", trap.message(), host.finish_log_lines()),
            Exit::Hostcall { import } => host.call(&linkage, import, &mut instance),
            Exit::Preempted => continue,
        };
        while let Answer::Wait(_) = answer {
            served.read(&mut host);
            if host.wants_body(Source::Visitor) {
                match pieces.next() {
                    Some(piece) => host.push_body(Source::Visitor, Bytes::copy_from_slice(piece)),
                    None => host.end_body(Source::Visitor, true),
                }
            }
            answer = host.finish_wait(&mut instance);
        }
        match answer {
            Answer::Return(values) => instance.answer(values.as_slice()),
            Answer::Exit(exit_code) => {
                served.exit_code = Some(exit_code);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    host.guest_ended();
    served.read(&mut host);
    while host.next_output() == Output::Awaits(Source::Visitor) {
        pieces.by_ref().for_each(|piece| host.push_body(Source::Visitor, Bytes::copy_from_slice(piece)));
        host.end_body(Source::Visitor, true);
        served.read(&mut host);
    }
    served.log = host.finish_log_lines().into_iter().map(|line| format!("{}: {}", line.stream.as_str(), line.text)).collect();
    served
}

impl Served {
    /// What the guest has answered so far.
    fn read(&mut self, host: &mut Host) {
        if let Some(head) = host.take_head() {
            self.status = head.status.as_u16();
            let header =
                |(name, value): (&http::HeaderName, &http::HeaderValue)| (name.to_string(), value.to_str().unwrap_or("?").to_owned());
            self.headers = head.headers.iter().map(header).collect();
        }
        let mut bytes = std::mem::take(&mut self.body).into_bytes();
        loop {
            match host.next_output() {
                Output::Chunk(piece) => bytes.extend_from_slice(&piece),
                end => break self.complete = end == Output::Finished,
            }
        }
        self.body = String::from_utf8(bytes).expect("these services answer text");
    }
}
