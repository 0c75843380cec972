//! Wasmtime as well as it can be set for many short requests.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// What the rows call it.
pub const NAME: &str = "Wasmtime tuned";

/// Pooling, copy-on-write images, dirty pages found by scanning and copied back, no backtraces; and what `adjust` changes.
pub fn engine(slots: u32, adjust: impl FnOnce(&mut Config)) -> Engine {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots).total_memories(slots).total_tables(slots).total_stacks(slots).max_unused_warm_slots(slots);
    pool.table_elements(20_000).max_core_instance_size(1 << 20);
    pool.linear_memory_keep_resident(16 << 20).table_keep_resident(1 << 20).async_stack_keep_resident(64 << 10).pagemap_scan(Enabled::Yes);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config.wasm_backtrace_max_frames(None).generate_address_map(false);
    adjust(&mut config);
    Engine::new(&config).expect("Wasmtime starts")
}
