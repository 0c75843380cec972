//! Tens of thousands of instances at once, in one process: what each costs, and what is said when there is no room for more.

use std::fs;

use vivarium_runtime::{Instance, InstanceLimits, Pool, Runtime, RuntimeSettings};
use vivarium_tests::engine::live_instances_max;
use vivarium_tests::requests::Requests;

const INSTANCES: u32 = 30_000;
/// How often each slot serves a request. From its second reset on it is watched, where writes can be: that is how slots spend their lives.
const ROUNDS: u32 = 5;
/// Most that an instance with two dirty pages may cost, page tables, write set and bookkeeping included, and each further page.
const INSTANCE_BYTES_MAX: u64 = 17 << 10;
const FURTHER_PAGE_BYTES_MAX: u64 = 4 << 10;
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

/// So many instances that live at once and have each written to so many pages of memory.
fn live(pool: &Pool, requests: &Requests, instances: u32, pages: u32) -> Vec<Instance> {
    let serve = |number| {
        let mut instance = pool.acquire(&requests.module, LIMITS).unwrap_or_else(|error| panic!("instance {number}: {error}"));
        assert_eq!(requests.finish(&mut instance, number, pages), Requests::expected(number, pages));
        instance
    };
    (0..instances).map(serve).collect()
}

#[test]
fn thirty_thousand_instances_live_at_once_and_each_costs_little() {
    // A kernel that permits fewer mappings has fewer of them; what each costs is the same.
    let instances = INSTANCES.min(live_instances_max());
    let requests = Requests::new(1, 4096, "run");
    let pool = Runtime::start(RuntimeSettings::default()).unwrap().pool(instances + 8).unwrap();
    requests.serve(&pool, 1, 1);
    let before = held();
    for pages in [1, 3] {
        for _ in 1..ROUNDS {
            drop(live(&pool, &requests, instances, pages));
        }
        let all = live(&pool, &requests, instances, pages);
        assert_eq!(pool.in_use(), instances);
        let each = (held() - before) / u64::from(instances);
        // One page more, of stack and globals, is dirty in each.
        println!("{instances} live instances with {} dirty pages, {each} bytes each", pages + 1);
        let most = INSTANCE_BYTES_MAX + u64::from(pages - 1) * FURTHER_PAGE_BYTES_MAX;
        assert!(each <= most, "{each} bytes a live instance with {} dirty pages", pages + 1);
        drop(all);
        assert_eq!((pool.in_use(), pool.discarded()), (0, 0));
    }
}
