//! Whatever shape endless or long code has, it ends by its deadline, in both settings.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use vivarium_artifact::Setting;
use vivarium_tests::engine::pool;
use vivarium_tests::shapes::{run_until, shapes};

/// Of the processor's time.
const DEADLINE: Duration = Duration::from_millis(5);
/// What a guest may have had of the processor past its deadline, ten times what is promised on a quiet machine: others' time on the processor does not
/// count in it, what they do to its caches does.
const PAST_DEADLINE_MAX: Duration = Duration::from_millis(100);

/// Time of the processor that this thread has had.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn a_hundred_shapes_of_endless_code_end_by_their_deadline() {
    let pool = pool(1);
    let shapes = shapes();
    assert!(shapes.len() >= 100, "only {} shapes", shapes.len());
    let mut worst = Vec::new();
    for shape in &shapes {
        for setting in [Setting::Fast, Setting::Best] {
            let mut instance = shape.begin(&pool, setting);
            let (had, started) = (processor_time(), Instant::now());
            run_until(&mut instance, DEADLINE);
            let past = |time: Duration| time.saturating_sub(DEADLINE);
            worst.push((past(processor_time() - had), past(started.elapsed()), shape.name.clone(), setting));
        }
    }
    worst.sort_by_key(|(processor, ..)| std::cmp::Reverse(*processor));
    println!("{} shapes in two settings; most past the deadline, of the processor's time and by the clock:", shapes.len());
    worst.iter().take(5).for_each(|(processor, clock, name, setting)| println!("  {processor:?} {clock:?} {name}, {setting:?}"));
    assert!(worst[0].0 <= PAST_DEADLINE_MAX, "{:?}", worst[0]);
    assert_eq!(pool.discarded(), 0, "every slot was pristine again");
}
