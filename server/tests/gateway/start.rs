//! Start functions: run once by the compile worker where that is possible, in each instance where it is not, and nobody can tell by the answers.

use crate::programs::program;
use crate::stage::{Response, Stage, limits, loaded};
use vivarium::compile::frames::Bounds;
use vivarium::compile::pool::Job;
use vivarium::limits::Limits;
use vivarium_artifact::{Artifact, Setting, SlotLayout};
use vivarium_toolchains::Cancel;

/// Answers with a table of letters that `start` fills in, and with what it left of a global, of a segment and of the length of memory and of a table.
fn with_start(start: &str) -> String {
    let main = "(i32.store8 (i32.const 1050) (i32.add (i32.const 97) (global.get $calls)))
        (i32.store8 (i32.const 1051) (i32.add (i32.const 97) (i32.and (memory.size) (i32.const 7))))
        (i32.store8 (i32.const 1052) (i32.add (i32.const 97) (table.size $t)))
        (call $say (i32.const 1) (i32.const 1024) (i32.const 29))
        (call $say (i32.const 1) (i32.const 8192) (i32.const 26))
        (if (i32.eq (memory.size) (i32.const 3)) (then (call $say (i32.const 1) (i32.const 131072) (i32.const 5))))";
    let whole = program("Content-Type: text/plain\\n\\n???", main);
    let rest = format!(
        "(global $calls (mut i32) (i32.const 0)) (table $t 1 9 funcref) (data $grown \"grown\")
        (func $count (global.set $calls (i32.add (global.get $calls) (i32.const 1)))) (elem declare func $count)
        (func $letters (local $n i32)
            (loop $next
                (i32.store8 offset=8192 (local.get $n) (i32.add (i32.const 97) (i32.rem_u (i32.mul (local.get $n) (i32.const 7)) (i32.const 26))))
                (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 26)))))
        (func $start {start}) (start $start))"
    );
    format!("{}{rest}", whole.trim_end().strip_suffix(')').unwrap())
}

const LEAVING: &str = "(call $count) (call $letters)
    (drop (memory.grow (i32.const 1))) (memory.init $grown (i32.const 131072) (i32.const 0) (i32.const 5)) (data.drop $grown)
    (drop (table.grow $t (ref.func $count) (i32.const 2)))";

impl Stage {
    /// What the compile workers of this stage make of it, and what a compiler makes that runs nothing.
    fn both(&self, wat: &str) -> [Vec<u8>; 2] {
        let wasm = wat::parse_str(wat).unwrap();
        let by_worker = self.compilers.compile(Job::new(&wasm, Setting::Fast), &|_, _, _| {}, &Cancel::new()).unwrap().elf;
        let policy = Bounds::of(&limits()).policy();
        let compiled = vivarium_compiler::compile(&wasm, &policy, Setting::Fast, &|_, _, _| {}).unwrap();
        [by_worker, compiled.artifact.encode().unwrap()]
    }

    async fn answers(&self, slug: &str, elf: &[u8]) -> Vec<Response> {
        self.gateway.load(loaded(slug, 1), &self.signed(elf.to_vec())).await.unwrap();
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(self.get(slug, "/").await);
        }
        answers
    }
}

fn starts(elf: &[u8]) -> bool {
    Artifact::parse(elf).unwrap().contract.start.is_some()
}

#[tokio::test]
async fn what_a_start_function_leaves_is_what_instances_begin_as() {
    let stage = Stage::set(1, limits()).await;
    let [once, each] = stage.both(&with_start(LEAVING));
    assert_eq!([starts(&once), starts(&each)], [false, true]);
    for (slug, elf) in [("once", &once), ("each", &each)] {
        for answer in stage.answers(slug, elf).await {
            assert_eq!((answer.status, answer.body.as_str()), (200, "bddahovcjqxelszgnubipwdkryfmtgrown"), "{slug}");
        }
    }
    // Addresses of that one process are not in it.
    let parsed = Artifact::parse(&once).unwrap();
    let stack = &once[parsed.image.clone()][..SlotLayout::of(&parsed.contract).unwrap().stack_top as usize];
    assert!(stack.iter().all(|byte| *byte == 0));
}

#[tokio::test]
async fn the_snapshot_is_the_same_whoever_makes_it() {
    let stage = Stage::set(1, limits()).await;
    let wasm = wat::parse_str(with_start(LEAVING)).unwrap();
    let compile = |own: &[u8]| {
        let job = Job { wasm: &wasm, setting: Setting::Fast, own, own_bytes_max: 1 << 20 };
        stage.compilers.compile(job, &|_, _, _| {}, &Cancel::new()).unwrap()
    };
    let first = compile(&[]);
    let worker = stage.compilers.pids();
    let second = compile(first.own.as_deref().unwrap());
    assert!(second.functions_found == second.functions && !starts(&first.elf));
    assert!(first.elf == second.elf, "with all functions from the cache, in another process");
    assert_ne!(stage.compilers.pids(), worker, "whoever ran it compiles for nobody else");
    let background = stage.compilers.compile_in_background(Job::new(&wasm, Setting::Best), &Cancel::new()).unwrap();
    let image = |elf: &[u8]| elf[Artifact::parse(elf).unwrap().image].to_vec();
    assert!(image(&background.elf) == image(&first.elf), "and optimised code leaves the same");
}

#[tokio::test]
async fn a_start_function_that_cannot_be_run_once_is_run_in_each_instance() {
    let stage = Stage::set(1, Limits { cpu_ms: 300, ..limits() }).await;
    let too_large =
        "(drop (memory.grow (i32.const 1100))) (memory.fill (i32.const 131072) (i32.const 1) (i32.const 70000000)) (call $letters)";
    for (slug, start, status, words) in [
        ("endless", "(loop $again (br $again))", 503, "300 ms of processor time used up"),
        ("trapping", "(call $letters) unreachable", 500, "unreachable"),
        ("calling", "(call $say (i32.const 2) (i32.const 1024) (i32.const 0)) (call $count) (call $letters)", 200, "bcbahov"),
        ("large", too_large, 200, "agbahov"),
    ] {
        let [once, each] = stage.both(&with_start(start));
        assert!(starts(&once) && once == each, "{slug}");
        for answer in stage.answers(slug, &once).await {
            assert!(answer.status == status && answer.body.contains(words), "{slug}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_instance_of_a_snapshot_has_nothing_to_run_before_its_exports() {
    let stage = Stage::set(1, limits()).await;
    let [once, each] = stage.both(&with_start(LEAVING));
    let begins = std::thread::spawn(move || {
        let runtime = vivarium_runtime::Runtime::start(Default::default()).unwrap();
        let pool = runtime.pool(1).unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
        [once, each].map(|mut elf| {
            vivarium_artifact::SignedArtifact::sign(&mut elf, &key);
            let module = runtime.load(vivarium_runtime::SealedFile::from_bytes(&elf).unwrap(), &key.verifying_key()).unwrap();
            let limits = vivarium_runtime::InstanceLimits { memory_bytes_max: 1 << 20 };
            (0..3).map(|_| pool.acquire(&module, limits).unwrap().initialize().unwrap()).collect::<Vec<bool>>()
        })
    });
    assert_eq!(begins.join().unwrap(), [vec![false; 3], vec![true; 3]]);
}
