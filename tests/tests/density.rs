//! Tens of thousands of instances at once, in one process: what each costs, and what is said when there is no room for more.

use std::fs;

use vivarium_runtime::{Instance, InstanceLimits, Runtime, RuntimeSettings};
use vivarium_tests::engine::live_instances_max;
use vivarium_tests::requests::Requests;

const INSTANCES: u32 = 30_000;
/// Most that an instance with two dirty pages may cost, page tables and bookkeeping included.
const INSTANCE_BYTES_MAX: u64 = 17 << 10;
const LIMITS: InstanceLimits = InstanceLimits { memory_bytes_max: 1 << 20 };

/// A line of `/proc/self/status`, in bytes.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

fn held() -> u64 {
    status("VmRSS") + status("VmPTE")
}

#[test]
fn thirty_thousand_instances_live_at_once_and_each_costs_little() {
    // A kernel that permits fewer mappings has fewer of them; what each costs is the same.
    let instances = INSTANCES.min(live_instances_max());
    let requests = Requests::new(1, 4096, "run");
    let pool = Runtime::start(RuntimeSettings::default()).unwrap().pool(instances + 8).unwrap();
    requests.serve(&pool, 1, 1);
    let before = held();
    let mut live: Vec<Instance> = Vec::with_capacity(instances as usize);
    for number in 0..instances {
        let mut instance = pool.acquire(&requests.module, LIMITS).unwrap_or_else(|error| panic!("instance {number}: {error}"));
        assert_eq!(requests.finish(&mut instance, number, 1), Requests::expected(number, 1));
        live.push(instance);
    }
    assert_eq!(pool.in_use(), instances);
    let each = (held() - before) / u64::from(instances);
    println!("{instances} live instances, {each} bytes each");
    assert!(each <= INSTANCE_BYTES_MAX, "{each} bytes a live instance");
    drop(live);
    assert_eq!((pool.in_use(), pool.discarded()), (0, 0));
}
