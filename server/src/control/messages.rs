//! Every message between workshop and gateway. Descriptors travel beside the message that names them here.

use serde::{Deserialize, Serialize};
use vivarium_artifact::Setting;

pub use super::kv::{KvAsk, KvKept, KvTold};
pub use super::outcome::{LimitReport, Outcome, SourcePlace, TrapFrame, TrapReport};
pub use super::settings::Settings;
pub use super::timestamp::Timestamp;
use crate::confine::Walls;
use crate::limits::Limits;
use crate::project::Files;

/// Pairs an answer with its question; unique in one supervisor.
pub type CallId = u64;

/// From the workshop to a gateway.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToGateway {
    /// First of all. Descriptors: the listeners, one for each thread.
    Start(Box<Start>),
    /// Descriptor: the signed artifact as a sealed memory file. Answered by [`FromGateway::LoadEnded`].
    Load(CallId, Loaded),
    SetCurrent {
        slug: String,
        revision: u32,
    },
    /// What a deployment keeps for its program, from its next request on.
    SetSettings {
        slug: String,
        settings: Box<Settings>,
    },
    /// In this order.
    Kv(Vec<KvTold>),
    /// The deployment ends at this moment, which may have passed.
    Expire {
        slug: String,
        at_unix_ms: u64,
    },
    /// Nobody ever deployed this; with a revision: not this revision.
    Unknown(Wanted),
    /// It exists and cannot be served; the sentence says why.
    Failed(Wanted, String),
    Unload {
        slug: String,
        revision: u32,
    },
    /// Descriptor: the signed artifact. Answered by [`FromGateway::RunEnded`].
    Run(CallId, Run),
    /// Descriptor: a connected stream socket that speaks HTTP, as one more visitor.
    Connection,
    /// Descriptor: a connection to the fetch proxy for this thread, which asked for it; none when there is no proxy.
    Fetcher {
        thread: u32,
    },
    /// Answered with [`FromGateway::Pong`] once every thread has had its turn.
    Ping,
    /// Accept nobody any more, finish what is in flight, end.
    Drain,
}

impl ToGateway {
    /// Of a message that is answered once.
    pub fn call(&self) -> Option<CallId> {
        match self {
            ToGateway::Load(call, _) | ToGateway::Run(call, _) => Some(*call),
            _ => None,
        }
    }
}

/// Why a gateway does not take an artifact in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRefusal {
    pub sentence: String,
    /// The artifact is not to blame: another time it may be taken.
    pub passing: bool,
}

/// From a gateway to the workshop.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromGateway {
    /// Confined, every listener is served.
    Ready {
        /// The name of the method by which slots are reset.
        reset: String,
        walls: Walls,
    },
    /// It ends now, for this reason.
    Refused {
        sentence: String,
    },
    /// Microseconds that checking and mapping took, or why it was refused.
    LoadEnded(CallId, Result<f64, LoadRefusal>),
    RunEnded(CallId, Result<Box<RunOutcome>, String>),
    Kv(Vec<KvAsk>),
    Batch(Batch),
    Pong,
}

/// What one gateway needs to know before it serves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    pub guest_port: u16,
    /// Deployments answer at `<slug>.<guest_domain>`.
    pub guest_domain: String,
    /// Where pages of the gateway link to.
    pub workshop_url: String,
    /// Public half of the key that signs artifacts.
    pub verifying_key: [u8; 32],
    pub limits: Limits,
    /// Compare every slot with its image after each reset; a test setting.
    pub verify_resets: bool,
    /// The name of the one reset method to use; the best that works otherwise.
    pub reset: Option<String>,
}

/// One revision of a deployment, to be served from now on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Loaded {
    pub slug: String,
    pub revision: u32,
    /// Whether the deployment's own address serves this revision.
    pub current: bool,
    pub language: String,
    pub expires_at_unix_ms: u64,
    pub settings: Settings,
    /// What it finds under `/`.
    pub files: Files,
    /// The id of the deployment's next request is at least this.
    pub next_request_id: u64,
}

/// One run of a program as a command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub stdin: Vec<u8>,
    /// What it finds under `/`.
    pub files: Files,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// The guest's, or 0 when its entry function returned; none when something else ended it.
    pub exit_code: Option<u32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub stdout_truncated: bool,
    pub stderr_truncated: bool,
    pub outcome: Outcome,
    pub timings: Timings,
}

/// What piled up since the last batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub reports: Vec<RunReport>,
    pub logs: Vec<LogEntry>,
    pub wanted: Vec<Wanted>,
    /// Threads that want a connection to the fetch proxy.
    pub fetchers_wanted: Vec<u32>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.logs.is_empty() && self.wanted.is_empty() && self.fetchers_wanted.is_empty()
    }
}

/// A visitor came for something that is not loaded. Without a revision: for the current one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wanted {
    pub slug: String,
    pub revision: Option<u32>,
}

/// What is told of one request; in JSON the object Request of the HTTP contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Unique in the deployment, growing.
    pub id: u64,
    pub slug: String,
    pub revision: u32,
    /// When its head had been read.
    pub time: Timestamp,
    pub method: String,
    /// With the query.
    pub path: String,
    pub status: u16,
    /// Length of the response's body.
    pub bytes: u64,
    pub outcome: Outcome,
    pub timings: Timings,
    pub hostcalls: u64,
    /// Which code answered: what was compiled first, or optimised since.
    pub setting: Setting,
}

/// One line; the workshop adds its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    pub slug: String,
    pub revision: u32,
    pub request_id: Option<u64>,
    pub time: Timestamp,
    pub stream: LogStream,
    /// Without a newline.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    Stderr,
    Stdout,
    /// The server's own lines about a deployment.
    Vivarium,
}

/// The ten stages from source to response, in microseconds; none where a stage did not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    pub queue: Option<f64>,
    pub build: Option<f64>,
    pub validate: Option<f64>,
    pub translate: Option<f64>,
    pub codegen: Option<f64>,
    pub link: Option<f64>,
    pub load: Option<f64>,
    pub instantiate: Option<f64>,
    pub run: Option<f64>,
    pub reset: Option<f64>,
}
