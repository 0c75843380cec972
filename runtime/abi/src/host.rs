//! The world of one instance: what it is given, what it wrote, and its calls.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use crate::answer::{Answer, HostFailure};
use crate::clocks::Clocks;
use crate::compute::{self, Backends, Given, KvStores, Stores, VisitorRequest, World};
use crate::files::{Entry, Folder, ProjectFiles};
use crate::guest::{Call, GuestInstance};
use crate::limit::LimitReached;
use crate::linkage::Linkage;
use crate::log::{LogLine, LogLines};
use crate::sink::Sink;
use crate::strings::StringList;
use crate::table::{Handling, HostFunction};
use crate::wasi::{self, Descriptors, Pending};

/// What a program is started with.
#[derive(Debug, Clone, Default)]
pub struct HostInput {
    /// The program's name first.
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub stdin: Bytes,
    /// What it finds under `/`.
    pub files: ProjectFiles,
    /// Folders beside it, or in its place: one that is given as `/` or `.` takes the place of all that a program is given otherwise.
    pub folders: Vec<GivenFolder>,
    /// What a service of the Compute ABI answers. Then standard output is a log.
    pub request: Option<VisitorRequest>,
    /// What it may look up.
    pub stores: Arc<Stores>,
    /// Its key-value stores.
    pub kv: Option<Rc<dyn KvStores>>,
    /// Where it may send requests.
    pub backends: Arc<Backends>,
}

/// A folder that a program is given, and the path by which it knows it.
#[derive(Debug, Clone)]
pub struct GivenFolder {
    pub path: String,
    pub folder: Rc<dyn Folder>,
}

/// Every bound on what a program is given and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostLimits {
    /// Standard output: beyond it the program is ended.
    pub stdout_bytes_max: u64,
    /// Standard error: beyond it what the program writes is dropped and the log says so.
    pub stderr_bytes_max: u64,
    /// A longer line of the log is split.
    pub log_line_bytes_max: u32,
    /// Lines of the log; beyond them as `stderr_bytes_max`.
    pub log_lines_max: u32,
    /// Arguments, with a pointer and a zero for each.
    pub arguments_bytes_max: u64,
    /// Environment, with a pointer and a zero for each variable.
    pub environment_bytes_max: u64,
    /// Content of files under `/tmp`: beyond it writing answers ENOSPC.
    pub scratch_bytes_max: u64,
    /// Files, folders and links under `/tmp`, those included that are open and have no name any more.
    pub scratch_nodes_max: u32,
    /// All that handles of the Compute ABI hold: bodies that are not streamed, headers, secrets. Beyond it the program is ended.
    pub buffered_bytes_max: u64,
    /// Requests to backends.
    pub fetches_max: u32,
}

impl Default for HostLimits {
    fn default() -> HostLimits {
        HostLimits {
            stdout_bytes_max: 16 << 20,
            stderr_bytes_max: 64 << 10,
            log_line_bytes_max: 8 << 10,
            log_lines_max: 2_000,
            arguments_bytes_max: 128 << 10,
            environment_bytes_max: 128 << 10,
            scratch_bytes_max: 8 << 20,
            scratch_nodes_max: 1024,
            buffered_bytes_max: 16 << 20,
            fetches_max: 10,
        }
    }
}

/// State of one instance.
#[derive(Debug)]
pub struct Host {
    pub(crate) arguments: StringList,
    pub(crate) environment: StringList,
    /// What is left to read.
    pub(crate) stdin: Bytes,
    pub(crate) stdout: Sink,
    pub(crate) stderr: Sink,
    pub(crate) log: LogLines,
    pub(crate) descriptors: Descriptors,
    pub(crate) files: ProjectFiles,
    pub(crate) folders: Vec<GivenFolder>,
    /// What the folder of this device and inode held when it was listed last from its beginning.
    pub(crate) listing: Option<((u64, u64), Vec<Entry>)>,
    pub(crate) clocks: Clocks,
    /// The call that waits.
    pub(crate) pending: Option<Suspended>,
    pub(crate) compute: World,
    /// Whether it answers through the Compute ABI: what it prints then is for its log.
    pub(crate) answers_requests: bool,
    pub(crate) limits: HostLimits,
    hostcalls: u64,
}

/// A call that waits, and how it goes on.
#[derive(Debug)]
pub(crate) enum Suspended {
    Preview1(Pending),
    /// It is made again.
    Compute(compute::Function),
}

impl Host {
    /// The world of a fresh instance; its clocks start now. Fails when arguments or environment exceed their limits.
    pub fn new(input: HostInput, limits: HostLimits) -> Result<Host, LimitReached> {
        let arguments = StringList::new(input.arguments, limits.arguments_bytes_max);
        let variables = input.environment.into_iter().map(|(name, value)| format!("{name}={value}"));
        let environment = StringList::new(variables, limits.environment_bytes_max);
        Ok(Host {
            arguments: arguments.ok_or_else(|| LimitReached::arguments(limits.arguments_bytes_max))?,
            environment: environment.ok_or_else(|| LimitReached::environment(limits.environment_bytes_max))?,
            stdin: input.stdin,
            stdout: Sink::new(limits.stdout_bytes_max),
            stderr: Sink::new(limits.stderr_bytes_max),
            log: LogLines::new(limits.log_line_bytes_max as usize, limits.log_lines_max, limits.stderr_bytes_max),
            descriptors: Descriptors::default(),
            files: input.files,
            folders: input.folders,
            listing: None,
            clocks: Clocks::start(),
            pending: None,
            answers_requests: input.request.is_some(),
            compute: World::new(
                Given { request: input.request, stores: input.stores, backends: input.backends, kv: input.kv },
                limits.buffered_bytes_max,
                limits.fetches_max,
            ),
            limits,
            hostcalls: 0,
        })
    }

    /// Answers the call of an imported function, by index among the imported functions.
    pub fn call(&mut self, linkage: &Linkage, import: u32, instance: &mut dyn GuestInstance) -> Answer {
        match linkage.function(import) {
            Some(function) => self.call_function(function, instance),
            None => Answer::Failed(HostFailure::ImportOutOfRange { import }),
        }
    }

    /// Answers a call of this function of the table.
    pub fn call_function(&mut self, function: HostFunction, instance: &mut dyn GuestInstance) -> Answer {
        self.hostcalls += 1;
        match function.row().handling {
            Handling::Preview1(function) => wasi::answer(function(&mut Call { host: self, instance })),
            Handling::Compute(function) => compute::answer(function, &mut Call { host: self, instance }),
            Handling::Stub(value) => Answer::value(value),
        }
    }

    /// After [`Answer::Wait`]: the answer of the call that waited, which may be to wait on.
    pub fn finish_wait(&mut self, instance: &mut dyn GuestInstance) -> Answer {
        match self.pending.take() {
            Some(Suspended::Preview1(pending)) => wasi::answer(pending.finish(&mut Call { host: self, instance })),
            Some(Suspended::Compute(function)) => compute::answer(function, &mut Call { host: self, instance }),
            None => Answer::Failed(HostFailure::NothingToWaitFor),
        }
    }

    /// How many calls the guest made.
    pub fn hostcalls(&self) -> u64 {
        self.hostcalls
    }

    /// Standard output since the last take; `stdout_bytes_max` counts all of it.
    pub fn take_stdout(&mut self) -> Bytes {
        self.stdout.take()
    }

    /// Standard output that was not taken yet.
    pub fn stdout(&self) -> &[u8] {
        self.stdout.bytes()
    }

    /// What the files that it has made hold, in bytes.
    pub fn scratch_bytes(&self) -> u64 {
        self.descriptors.scratch_bytes()
    }

    /// Standard error since the last take, as it was written, up to `stderr_bytes_max` in all.
    pub fn take_stderr(&mut self) -> Bytes {
        self.stderr.take()
    }

    /// Whether anything written to standard error was dropped.
    pub fn stderr_truncated(&self) -> bool {
        self.log.is_truncated()
    }

    /// Lines of standard error that were completed since the last call.
    pub fn take_log_lines(&mut self) -> Vec<LogLine> {
        self.log.take()
    }

    /// After the program's end: the remaining lines, a last one without newline included.
    pub fn finish_log_lines(&mut self) -> Vec<LogLine> {
        self.log.flush();
        self.log.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::tests::contract;
    use crate::testing::{Guest, call, host, host_with};
    use vivarium_artifact::contract::FunctionType;

    #[test]
    fn an_import_outside_the_contract_is_a_failure_of_the_host() {
        let linkage = Linkage::resolve(&contract(&[])).unwrap();
        let answer = host().call(&linkage, 7, &mut Guest::with_memory(0));
        assert_eq!(answer, Answer::Failed(HostFailure::ImportOutOfRange { import: 7 }));
    }

    #[test]
    fn calls_go_through_the_linkage() {
        let ty = FunctionType { parameters: vec![], results: vec![vivarium_artifact::contract::ValueType::I32] };
        let linkage = Linkage::resolve(&contract(&[("wasi_snapshot_preview1", "sched_yield", ty)])).unwrap();
        let mut host = host();
        assert_eq!(host.call(&linkage, 0, &mut Guest::with_memory(0)), Answer::value(0));
        assert_eq!(host.hostcalls(), 1);
    }

    #[test]
    fn nothing_to_wait_for_is_a_failure_of_the_host() {
        assert_eq!(host().finish_wait(&mut Guest::with_memory(0)), Answer::Failed(HostFailure::NothingToWaitFor));
    }

    #[test]
    fn stubs_answer_that_they_are_not_supported() {
        let mut guest = Guest::with_memory(16);
        for name in ["sock_accept", "sock_recv", "sock_send"] {
            assert_eq!(call(&mut host(), &mut guest, name, &[u64::MAX; 6]), Answer::value(58), "{name}");
        }
    }

    #[test]
    fn arguments_and_environment_are_bounded() {
        let limits = HostLimits { arguments_bytes_max: 10, environment_bytes_max: 10, ..HostLimits::default() };
        let arguments = HostInput { arguments: vec!["123456".into()], ..HostInput::default() };
        assert_eq!(Host::new(arguments, limits).unwrap_err().name, "arguments_bytes_max");
        let environment = HostInput { environment: vec![("ABC".into(), "12".into())], ..HostInput::default() };
        assert_eq!(Host::new(environment, limits).unwrap_err().name, "environment_bytes_max");
        let fitting = HostInput { arguments: vec!["12345".into()], environment: vec![("A".into(), "123".into())], ..HostInput::default() };
        host_with(fitting, limits);
    }
}
