//! Every bound of the server in one place, named with its unit. The page, `GET /api/v1/limits` and the README show these names, and an
//! error that a limit causes says which one it was.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vivarium_artifact::TenantPolicy;
use vivarium_toolchains::{BuildLimits, SourceLimits};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: u64 = 1024 * MIB as u64;

/// The bounds, with their defaults in [`Limits::default`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    // What a user sends.
    pub source_bytes_max: usize,
    pub files_max: usize,
    pub file_name_bytes_max: usize,
    /// Parts of a file's name, between slashes.
    pub depth_max: usize,
    /// Files beside the source, which no compiler reads.
    pub assets_max: usize,
    /// All of them together.
    pub assets_bytes_max: usize,
    pub wasm_bytes_max: usize,
    /// A request's body to the workshop: a source with every character escaped, its assets in base64, and a little more.
    pub api_body_bytes_max: usize,
    pub arguments_max: usize,
    pub environment_max: usize,
    /// Of one argument, or of the name or value of one variable.
    pub argument_bytes_max: usize,
    /// All arguments of a run together, with a pointer and a zero for each.
    pub arguments_bytes_max: u64,
    /// All variables of a run or a request together, with a pointer and a zero for each.
    pub environment_bytes_max: u64,
    /// All variables and secrets of a deployment together. What a request adds (its headers, most of all) must fit beside them in
    /// `environment_bytes_max`, or no request would be answered.
    pub variables_bytes_max: usize,
    /// Config and secret stores and key-value stores of a deployment.
    pub stores_max: usize,
    /// All names and values in config and secret stores of a deployment.
    pub stores_bytes_max: usize,
    /// All entries of a deployment's key-value stores: key, value, metadata, and 64 for each.
    pub kv_bytes_max: u64,
    /// Key-value stores that a gateway keeps at hand; those least recently used are asked for again.
    pub kv_cached_bytes_max: u64,
    /// Changes of key-value stores that a gateway has asked for and not heard of yet; and of one deployment.
    pub kv_changes_max: usize,
    pub kv_changes_per_deployment_max: u32,
    /// Files that one run may have under `/tmp`, in bytes. They are gone with it.
    pub scratch_bytes_max: u64,
    /// Files, folders and links of one run under `/tmp`.
    pub scratch_nodes_max: u32,
    pub stdin_bytes_max: usize,

    // Source to wasm.
    pub build_wall_ms: u64,
    pub build_cpu_ms: u64,
    pub build_memory_bytes_max: u64,
    pub build_file_bytes_max: u64,
    pub build_output_bytes_max: usize,
    pub builds_at_once: usize,
    pub build_queue_max: usize,
    /// Of one client. Clients take turns in the queue.
    pub builds_queued_per_client_max: usize,
    /// How many builds, deployments, runs (or rounds of tests) and checks (or layouts) one client may ask for in a minute.
    pub builds_per_minute_max: usize,
    pub deployments_per_minute_max: usize,
    pub runs_per_minute_max: usize,
    pub checks_per_minute_max: usize,
    /// Writes to key-value stores through the API; each waits for the disk.
    pub kv_changes_per_minute_max: usize,
    /// Finished builds kept in memory, with their wasm.
    pub build_results_max: usize,
    pub build_results_bytes_max: usize,
    pub build_wait_seconds_max: u64,
    /// A program's wasm as text.
    pub wat_bytes_max: usize,
    /// Processor time and wall time of a check while somebody types.
    pub check_ms: u64,
    pub checks_at_once: usize,
    pub check_queue_max: usize,
    /// Programs whose diagnostics are kept in memory.
    pub check_results_max: usize,
    pub check_results_bytes_max: usize,

    // Wasm to artifact.
    pub compile_wall_ms: u64,
    pub compile_memory_bytes_max: u64,
    /// Code of functions that is kept for the next compilation of the same owner.
    pub function_cache_owner_bytes_max: usize,
    pub function_cache_owners_max: usize,
    /// Of all owners.
    pub function_cache_bytes_max: usize,
    /// How long an owner must be quiet before his program is compiled again, optimised.
    pub optimise_after_ms: u64,
    /// Programs that wait for that; beyond it one stays as it was compiled first.
    pub optimisations_waiting_max: usize,
    /// Code of functions of the languages' own libraries, which every compile worker has.
    pub library_cache_bytes_max: usize,
    pub memory_bytes_max: u64,
    pub table_elements_max: u64,
    pub stack_bytes: u64,

    // One request of a visitor.
    pub cpu_ms: u64,
    pub wall_ms: u64,
    pub slice_us: u64,
    pub request_body_bytes_max: usize,
    /// How long its body may take to arrive.
    pub body_read_ms: u64,
    pub response_bytes_max: usize,
    /// All that a program holds of bodies it does not stream, of headers and secrets.
    pub buffered_bytes_max: u64,
    /// How long a request may take that streams its answer or whose body is still arriving, in place of `wall_ms`.
    pub stream_ms: u64,
    /// Of both bodies of one request together, where the answer is streamed that a guest of the Compute ABI writes.
    pub stream_bytes_per_second_max: u64,
    /// A program that takes longer has its answer sent while it makes it.
    pub stream_after_ms: u64,
    /// Requests that one request of a visitor may have sent to backends.
    pub fetches_per_request_max: u32,
    /// From such a request to the last byte of its answer.
    pub fetch_ms: u64,
    /// Of its body, and of the answer's.
    pub fetch_bytes_max: u64,
    /// Backends that one deployment names.
    pub backends_max: usize,
    pub log_bytes_per_request_max: usize,
    pub log_lines_per_request_max: u32,

    // One run of a command.
    pub run_cpu_ms: u64,
    pub run_wall_ms: u64,
    pub run_output_bytes_max: usize,
    pub runs_at_once: usize,

    // Connections, on either port.
    pub header_read_ms: u64,
    pub idle_ms: u64,
    pub header_bytes_max: usize,
    pub headers_max: usize,
    pub connections_max: usize,
    pub workshop_connections_max: usize,
    /// Of one address, to each of the two ports. Behind a front proxy all visitors come from its address.
    pub connections_per_address_max: usize,
    /// What a drain at the end waits for requests in flight.
    pub drain_ms: u64,

    // The gateway.
    pub in_flight_per_deployment_max: usize,
    /// Slots of one gateway thread.
    pub instances_max: usize,
    /// What guests have by the length of their memories, with input, output and files; more than that waits, then is refused, and a memory grows no more.
    pub gateway_memory_bytes_max: u64,
    /// How long a request waits for memory, and how many may.
    pub memory_wait_ms: u64,
    pub memory_waiting_max: usize,
    pub loaded_artifact_bytes_max: u64,
    pub load_wait_ms: u64,

    // What is kept.
    pub deployments_max: usize,
    pub revisions_max: usize,
    pub expired_kept_max: usize,
    pub expired_kept_seconds: u64,
    pub ttl_seconds_default: u64,
    pub ttl_seconds_max: u64,
    pub blob_bytes_max: u64,
    /// A stored program with its settings: its source with every character escaped, and assets in base64.
    pub share_bytes_max: usize,
    /// All stored programs together. They never expire, so it is far below `blob_bytes_max`.
    pub shares_bytes_max: u64,
    /// How many programs one client may store in a minute.
    pub shares_per_minute_max: usize,
    /// All fiddles of all owners.
    pub fiddles_max: usize,
    pub fiddle_revisions_max: usize,
    /// Requests that are kept with one program.
    pub saved_requests_max: usize,
    /// Lines that say what the answer to one request must be like.
    pub assertions_max: usize,
    /// One round of tests, from its first request to its last verdict.
    pub test_round_ms: u64,
    /// Rounds of tests that run at the same time.
    pub tests_at_once: usize,
    /// What of an answer's body a test looks at.
    pub tested_body_bytes_max: usize,
    /// The cache of artifacts, which may vanish.
    pub artifact_bytes_max: u64,
    /// Of one deployment.
    pub log_lines_kept: usize,
    /// Of one deployment.
    pub log_bytes_kept: usize,
    /// Of one deployment.
    pub requests_kept: usize,

    // Streams of events.
    pub events_kept: usize,
    pub events_bytes_kept: usize,
    pub event_streams_max: usize,
    pub event_topics_max: usize,
    /// Events that wait for one reader before it is dropped.
    pub event_queue_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Limits {
            source_bytes_max: 256 * KIB,
            files_max: 32,
            file_name_bytes_max: 128,
            depth_max: 8,
            assets_max: 32,
            assets_bytes_max: MIB,
            wasm_bytes_max: 16 * MIB,
            api_body_bytes_max: 4 * MIB,
            arguments_max: 64,
            environment_max: 64,
            argument_bytes_max: 8 * KIB,
            arguments_bytes_max: 128 * KIB as u64,
            environment_bytes_max: 128 * KIB as u64,
            variables_bytes_max: 48 * KIB,
            stores_max: 16,
            stores_bytes_max: 256 * KIB,
            kv_bytes_max: MIB as u64,
            kv_cached_bytes_max: 64 * MIB as u64,
            kv_changes_max: 1_024,
            kv_changes_per_deployment_max: 64,
            scratch_bytes_max: 8 * MIB as u64,
            scratch_nodes_max: 1024,
            stdin_bytes_max: MIB,

            build_wall_ms: 20_000,
            build_cpu_ms: 15_000,
            build_memory_bytes_max: 2 * GIB,
            build_file_bytes_max: 64 * MIB as u64,
            build_output_bytes_max: 256 * KIB,
            builds_at_once: cores,
            build_queue_max: 64,
            builds_queued_per_client_max: 32,
            builds_per_minute_max: 300,
            deployments_per_minute_max: 300,
            runs_per_minute_max: 300,
            checks_per_minute_max: 600,
            kv_changes_per_minute_max: 600,
            build_results_max: 256,
            build_results_bytes_max: 256 * MIB,
            build_wait_seconds_max: 60,
            wat_bytes_max: 16 * MIB,
            check_ms: 5_000,
            checks_at_once: 1,
            check_queue_max: 16,
            check_results_max: 64,
            check_results_bytes_max: 4 * MIB,

            compile_wall_ms: 30_000,
            compile_memory_bytes_max: 2 * GIB,
            function_cache_owner_bytes_max: 8 * MIB,
            function_cache_owners_max: 256,
            function_cache_bytes_max: 128 * MIB,
            optimise_after_ms: 2_000,
            optimisations_waiting_max: 256,
            library_cache_bytes_max: 16 * MIB,
            memory_bytes_max: 128 * MIB as u64,
            table_elements_max: 10_000,
            stack_bytes: MIB as u64,

            cpu_ms: 500,
            wall_ms: 10_000,
            slice_us: 1_000,
            request_body_bytes_max: MIB,
            body_read_ms: 30_000,
            response_bytes_max: 16 * MIB,
            buffered_bytes_max: 16 * MIB as u64,
            stream_ms: 60_000,
            stream_bytes_per_second_max: 64 * MIB as u64,
            stream_after_ms: 100,
            fetches_per_request_max: 10,
            fetch_ms: 5_000,
            fetch_bytes_max: 8 * MIB as u64,
            backends_max: 32,
            log_bytes_per_request_max: 64 * KIB,
            log_lines_per_request_max: 2_000,

            run_cpu_ms: 5_000,
            run_wall_ms: 10_000,
            run_output_bytes_max: MIB,
            runs_at_once: 16,

            header_read_ms: 5_000,
            idle_ms: 60_000,
            header_bytes_max: 64 * KIB,
            headers_max: 96,
            connections_max: 10_000,
            workshop_connections_max: 1_024,
            connections_per_address_max: 512,
            drain_ms: 5_000,

            in_flight_per_deployment_max: 64,
            instances_max: 1_000,
            gateway_memory_bytes_max: 4 * GIB,
            memory_wait_ms: 2_000,
            memory_waiting_max: 256,
            loaded_artifact_bytes_max: GIB,
            load_wait_ms: 2_000,

            deployments_max: 1_000,
            revisions_max: 1_000,
            expired_kept_max: 1_000,
            expired_kept_seconds: 7 * 86_400,
            ttl_seconds_default: 86_400,
            ttl_seconds_max: 7 * 86_400,
            blob_bytes_max: 4 * GIB,
            share_bytes_max: 2 * MIB,
            shares_bytes_max: GIB,
            shares_per_minute_max: 60,
            fiddles_max: 100_000,
            fiddle_revisions_max: 1_000,
            saved_requests_max: 64,
            assertions_max: 100,
            test_round_ms: 120_000,
            tests_at_once: 8,
            tested_body_bytes_max: MIB,
            artifact_bytes_max: 4 * GIB,
            log_lines_kept: 10_000,
            log_bytes_kept: MIB,
            requests_kept: 1_000,

            events_kept: 4_096,
            events_bytes_kept: 32 * MIB,
            event_streams_max: 256,
            event_topics_max: 64,
            event_queue_max: 2_048,
        }
    }
}

/// What is wrong with a bound that the operator gave.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LimitError {
    #[error("--limit takes NAME=NUMBER, not {0:?}")]
    Form(String),
    #[error("there is no limit {0:?}: GET /api/v1/limits lists their names")]
    Unknown(String),
    #[error("the limit {name} cannot be {value:?}: give a whole number")]
    Value { name: String, value: String },
}

impl Limits {
    /// These bounds with some changed, each given as `NAME=NUMBER`.
    pub fn changed(&self, changes: &[String]) -> Result<Limits, LimitError> {
        let mut fields = serde_json::to_value(self).unwrap_or_default();
        for change in changes {
            let (name, value) = change.split_once('=').ok_or_else(|| LimitError::Form(change.clone()))?;
            let field = fields.get_mut(name).ok_or_else(|| LimitError::Unknown(name.to_owned()))?;
            let refused = || LimitError::Value { name: name.to_owned(), value: value.to_owned() };
            *field = value.parse::<u64>().map_err(|_| refused())?.into();
            // Its field may be too narrow for it.
            serde_json::from_value::<Limits>(fields.clone()).map_err(|_| refused())?;
        }
        Ok(serde_json::from_value(fields).unwrap_or_else(|_| self.clone()))
    }

    /// The bounds of a source tree.
    pub fn source(&self) -> SourceLimits {
        SourceLimits {
            source_bytes_max: self.source_bytes_max,
            files_max: self.files_max,
            file_name_bytes_max: self.file_name_bytes_max,
            depth_max: self.depth_max,
        }
    }

    /// What an artifact's contract may ask for.
    pub fn tenant(&self) -> TenantPolicy {
        TenantPolicy {
            memory_bytes_max: self.memory_bytes_max,
            table_elements_max: self.table_elements_max,
            stack_bytes_max: self.stack_bytes,
        }
    }

    /// The bounds of a toolchain's job.
    pub fn build(&self) -> BuildLimits {
        BuildLimits {
            build_wall_ms: self.build_wall_ms,
            build_cpu_ms: self.build_cpu_ms,
            build_memory_bytes_max: self.build_memory_bytes_max,
            build_file_bytes_max: self.build_file_bytes_max,
            build_output_bytes_max: self.build_output_bytes_max,
            wasm_bytes_max: self.wasm_bytes_max,
            source_bytes_max: self.source_bytes_max,
        }
    }

    /// The bounds of a check, which nobody waits for.
    pub fn check(&self) -> BuildLimits {
        BuildLimits { build_wall_ms: self.check_ms, build_cpu_ms: self.check_ms, ..self.build() }
    }

    /// How long a header may take from its first byte.
    pub fn header_read(&self) -> Duration {
        Duration::from_millis(self.header_read_ms)
    }

    /// The longest run of guest code before others have their turn.
    pub fn slice(&self) -> Duration {
        Duration::from_micros(self.slice_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_a_flat_object_of_numbers() {
        let shown = serde_json::to_value(Limits::default()).unwrap();
        let fields = shown.as_object().unwrap();
        assert!(fields.values().all(serde_json::Value::is_u64));
        assert_eq!(fields["source_bytes_max"], 262_144);
        assert_eq!(fields["cpu_ms"], 500);
    }

    #[test]
    fn bounds_are_changed_by_name() {
        let changed = |changes: &[&str]| Limits::default().changed(&changes.iter().map(|change| (*change).to_owned()).collect::<Vec<_>>());
        let limits = changed(&["cpu_ms=7", "headers_max=9", "cpu_ms=8"]).unwrap();
        assert_eq!((limits.cpu_ms, limits.headers_max, limits.wall_ms), (8, 9, 10_000));
        assert_eq!(changed(&["cpu_ms"]), Err(LimitError::Form("cpu_ms".into())));
        assert_eq!(changed(&["cpu=7"]), Err(LimitError::Unknown("cpu".into())));
        for value in ["", "-1", "1.5", "x", "99999999999999999999"] {
            assert_eq!(changed(&[&format!("cpu_ms={value}")]), Err(LimitError::Value { name: "cpu_ms".into(), value: value.into() }));
        }
        let narrow = changed(&["scratch_nodes_max=4294967296"]).unwrap_err();
        assert!(narrow.to_string().contains("scratch_nodes_max cannot be"), "{narrow}");
    }
}
