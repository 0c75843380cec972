use crate::programs::{copier, endless, trapping};
use crate::stage::{Stage, limits};
use vivarium::control::messages::{Outcome, Run};
use vivarium::limits::Limits;

#[tokio::test]
async fn a_command_has_arguments_input_output_and_an_exit_code() {
    let stage = Stage::set(1, limits()).await;
    let artifact = stage.artifact(&copier());
    let run = Run { arguments: vec!["a".into(), "b".into()], stdin: b"some input".to_vec(), ..Run::default() };
    let outcome = stage.gateway.run(run, &artifact).await.unwrap();
    assert_eq!((outcome.exit_code, outcome.outcome), (Some(3), Outcome::Exited { exit_code: 3 }));
    assert_eq!((outcome.stdout.as_slice(), outcome.stderr.as_slice()), (&b"some input"[..], &b"arguments: 3\n"[..]));
    assert!(!outcome.stdout_truncated && outcome.timings.run > Some(0.0) && outcome.timings.load > Some(0.0));
}

#[tokio::test]
async fn output_is_cut_and_loops_end() {
    let stage = Stage::set(1, Limits { run_output_bytes_max: 4, run_cpu_ms: 100, ..limits() }).await;
    let run = Run { stdin: b"some input".to_vec(), ..Run::default() };
    let cut = stage.gateway.run(run, &stage.artifact(&copier())).await.unwrap();
    assert!(cut.stdout_truncated && cut.stdout == b"some", "{cut:?}");
    let ended = stage.gateway.run(Run::default(), &stage.artifact(&endless())).await.unwrap();
    let Outcome::Limited(limit) = ended.outcome else { panic!("{ended:?}") };
    assert_eq!((limit.name.as_str(), ended.exit_code), ("run_cpu_ms", None));
    let trapped = stage.gateway.run(Run::default(), &stage.artifact(&trapping())).await.unwrap();
    assert!(matches!(trapped.outcome, Outcome::Trapped(_)) && trapped.exit_code.is_none());
}
