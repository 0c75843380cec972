//! `make fuzz SEEDS=1000`, or `SEED=7` for one that was found: generated modules in our engine, Wasmtime and wasmi.
//!
//! Variables: `SEEDS` how many, `FROM` the first, `SEED` only this one, with its verdict. What is found is saved in `target/finds/` by seed; the exit code
//! is 1 then.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use vivarium_peers::oracle::{Oracle, Part, Verdict, generate};

const THREADS: usize = 2;
/// Seeds between two lines that say how far it is.
const PROGRESS_SEEDS: u64 = 5_000;

#[derive(Default)]
struct Tally {
    agreed: u64,
    /// Of those that agree.
    with_wasmi: u64,
    until_a_bound_of_wasmi: u64,
    without_wasmi: u64,
    calls: u64,
    returned: u64,
    skipped: BTreeMap<&'static str, u64>,
    found: Vec<u64>,
}

fn main() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")));
    let only = number("SEED");
    let from = only.or(number("FROM")).unwrap_or(0);
    let until = from + if only.is_some() { 1 } else { number("SEEDS").unwrap_or(10_000) };
    let finds = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/finds");
    std::fs::create_dir_all(&finds).expect("target/finds can be made");
    let next = AtomicU64::new(from);
    let tally = Mutex::new(Tally::default());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (next, tally, finds) = (&next, &tally, &finds);
            scope.spawn(move || take_seeds(thread, next, until, tally, finds, started, only.is_some()));
        }
    });
    let tally = tally.into_inner().expect("no thread panicked");
    println!("{}", told(&tally, started));
    if !tally.found.is_empty() {
        println!("found {:?}: see {}, again with `make fuzz SEED=…`", tally.found, finds.display());
        std::process::exit(1);
    }
}

fn take_seeds(thread: usize, next: &AtomicU64, until: u64, tally: &Mutex<Tally>, finds: &Path, started: Instant, show: bool) {
    let mut oracle = Oracle::start();
    // Should the process die, this says of which seed.
    let running = finds.join(format!("running-{thread}"));
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= until {
            let _ = std::fs::remove_file(&running);
            return;
        }
        std::fs::write(&running, seed.to_string()).expect("target/finds can be written");
        let verdict = catch_unwind(AssertUnwindSafe(|| oracle.judge_seed(seed))).unwrap_or_else(|panic| {
            oracle = Oracle::start();
            let said = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Verdict::Found(format!("a panic: {}", said.unwrap_or_default()))
        });
        if show {
            println!("seed {seed}: {verdict:?}");
        }
        if let Verdict::Found(reason) = &verdict {
            println!("seed {seed}: {reason}");
            save(seed, reason, finds);
        }
        count(&mut tally.lock().expect("no thread panicked"), seed, verdict, started);
    }
}

fn count(tally: &mut Tally, seed: u64, verdict: Verdict, started: Instant) {
    match verdict {
        Verdict::Agreed { wasmi, calls, returned } => {
            tally.agreed += 1;
            match wasmi {
                Part::Agreed => tally.with_wasmi += 1,
                Part::Bounded => tally.until_a_bound_of_wasmi += 1,
                Part::None => tally.without_wasmi += 1,
            }
            tally.calls += calls as u64;
            tally.returned += returned as u64;
        }
        Verdict::Skipped(reason) => *tally.skipped.entry(reason).or_default() += 1,
        Verdict::Found(_) => tally.found.push(seed),
    }
    if seeds(tally).is_multiple_of(PROGRESS_SEEDS) {
        println!("{}", told(tally, started));
    }
}

fn save(seed: u64, reason: &str, finds: &Path) {
    let Some(wasm) = generate::module(seed) else { return };
    let text = wasmprinter::print_bytes(&wasm).unwrap_or_default();
    std::fs::write(finds.join(format!("{seed}.wasm")), &wasm).expect("target/finds can be written");
    std::fs::write(finds.join(format!("{seed}.wat")), format!(";; {reason}\n{text}")).expect("target/finds can be written");
}

fn seeds(tally: &Tally) -> u64 {
    tally.agreed + tally.skipped.values().sum::<u64>() + tally.found.len() as u64
}

fn told(tally: &Tally, started: Instant) -> String {
    let skipped: Vec<String> = tally.skipped.iter().map(|(reason, count)| format!("{count} skipped ({reason})")).collect();
    format!(
        "{} seeds in {:.0} s: {} agree in ours and Wasmtime ({} in wasmi too, {} until its own bounds, {} it lacks features for); {} calls, {} of them returned; {}; {} found",
        seeds(tally),
        started.elapsed().as_secs_f64(),
        tally.agreed,
        tally.with_wasmi,
        tally.until_a_bound_of_wasmi,
        tally.without_wasmi,
        tally.calls,
        tally.returned,
        if skipped.is_empty() { "none skipped".to_owned() } else { skipped.join(", ") },
        tally.found.len(),
    )
}
