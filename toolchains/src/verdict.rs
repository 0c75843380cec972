//! What the end of a compiler process means: an exit code of its own, a limit that ended it, or a jail that never let it start.

use std::time::Duration;

use crate::process::{Ending, Finished};
use crate::{BuildError, BuildLimits};

/// How much of a compiler's last output an error quotes.
const LAST_WORDS_BYTES: usize = 400;

/// The compiler's own exit code, or why it had none.
pub(crate) fn exit_code(finished: &Finished, limits: &BuildLimits) -> Result<i32, BuildError> {
    let output = String::from_utf8_lossy(&finished.output);
    if let Some(reason) = jail_failure(finished, &output) {
        return Err(BuildError::JailUnavailable { reason });
    }
    if finished.ending == Ending::Code(0) {
        return Ok(0);
    }
    if ran_out_of_memory(&output) {
        return Err(BuildError::MemoryExceeded { build_memory_bytes_max: limits.build_memory_bytes_max });
    }
    if wrote_too_much(finished.ending, &output) {
        return Err(BuildError::FileTooLarge { build_file_bytes_max: limits.build_file_bytes_max });
    }
    match finished.ending {
        Ending::Code(code) => Ok(code),
        Ending::Signal(signal) => Err(killed(signal, finished, limits)),
    }
}

fn jail_failure(finished: &Finished, output: &str) -> Option<String> {
    // Words that a compiler prints are at the start of no line of its own: it begins with a file, its name or a brace.
    let from_jail = ["vivarium jail: ", "bwrap: ", "setpriv: "].iter().any(|prefix| output.starts_with(prefix));
    (from_jail && finished.ending != Ending::Code(0)).then(|| first_line(output))
}

fn ran_out_of_memory(output: &str) -> bool {
    ["LLVM ERROR: out of memory", "memory allocation of ", "std::bad_alloc", "JavaScript heap out of memory"]
        .iter()
        .any(|words| output.contains(words))
}

fn wrote_too_much(ending: Ending, output: &str) -> bool {
    // Node has no signal for it, and words of its own.
    let told = ["File too large", "EFBIG: "].iter().any(|words| output.contains(words));
    ending == Ending::Signal(libc::SIGXFSZ) || (ending != Ending::Code(0) && told)
}

/// The limit of processor time kills without a word, as the system does that has no memory left: the time tells them apart.
fn killed(signal: i32, finished: &Finished, limits: &BuildLimits) -> BuildError {
    let used_its_time = finished.elapsed >= Duration::from_millis(limits.build_cpu_ms) * 9 / 10;
    if signal == libc::SIGXCPU || (signal == libc::SIGKILL && used_its_time) {
        return BuildError::CpuExceeded { build_cpu_ms: limits.build_cpu_ms };
    }
    BuildError::Killed { signal: signal_name(signal), last_words: last_words(&finished.output) }
}

/// The end of what a compiler printed, for an error to quote.
pub(crate) fn last_words(output: &[u8]) -> String {
    let start = output.len().saturating_sub(LAST_WORDS_BYTES);
    let words = String::from_utf8_lossy(&output[start..]);
    if words.trim().is_empty() { "none".to_owned() } else { crate::text::plain(words.trim()) }
}

fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGABRT => "SIGABRT".to_owned(),
        libc::SIGBUS => "SIGBUS".to_owned(),
        libc::SIGILL => "SIGILL".to_owned(),
        libc::SIGKILL => "SIGKILL".to_owned(),
        libc::SIGSEGV => "SIGSEGV".to_owned(),
        libc::SIGTERM => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

fn first_line(output: &str) -> String {
    crate::text::plain(output.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ending: Ending, output: &str, elapsed_ms: u64) -> String {
        let finished = Finished { ending, output: output.as_bytes().to_vec(), elapsed: Duration::from_millis(elapsed_ms) };
        match exit_code(&finished, &BuildLimits::default()) {
            Ok(code) => format!("code {code}"),
            Err(error) => error.limit().map_or_else(|| error.to_string(), str::to_owned),
        }
    }

    #[test]
    fn each_ending_has_one_meaning() {
        assert_eq!(check(Ending::Code(0), "", 1), "code 0");
        assert_eq!(check(Ending::Code(1), "main.c:1:1: error: x", 1), "code 1");
        assert_eq!(check(Ending::Signal(9), "", 14_900), "build_cpu_ms");
        assert_eq!(check(Ending::Signal(25), "", 1), "build_file_bytes_max");
        assert_eq!(check(Ending::Signal(6), "LLVM ERROR: out of memory", 1), "build_memory_bytes_max");
        assert!(check(Ending::Signal(11), "stack dump", 1).contains("SIGSEGV; its last words: stack dump"));
        assert!(check(Ending::Code(126), "vivarium jail: Landlock: no\n", 1).contains("no jail for compilers"));
    }
}
