/work/main/benches/instructions/target/instructions/release/deps/apiqueue-57400eb0c8711711.d: std-runtime/src/lib.rs std-runtime/src/account/mod.rs std-runtime/src/account/builder.rs std-runtime/src/account/calls.rs std-runtime/src/account/giver.rs std-runtime/src/account/plan.rs std-runtime/src/builder.rs std-runtime/src/by_hand.rs std-runtime/src/clock.rs std-runtime/src/control.rs std-runtime/src/driver.rs std-runtime/src/end.rs std-runtime/src/enqueue.rs std-runtime/src/error.rs std-runtime/src/granted.rs std-runtime/src/handover.rs std-runtime/src/line.rs std-runtime/src/lobby.rs std-runtime/src/meter.rs std-runtime/src/queue.rs std-runtime/src/rate.rs std-runtime/src/register.rs std-runtime/src/registry/mod.rs std-runtime/src/registry/limits.rs std-runtime/src/seat.rs std-runtime/src/stats.rs std-runtime/src/stop.rs std-runtime/src/telemetry.rs std-runtime/src/timers.rs std-runtime/src/waiter.rs std-runtime/src/weighted.rs

/work/main/benches/instructions/target/instructions/release/deps/libapiqueue-57400eb0c8711711.rlib: std-runtime/src/lib.rs std-runtime/src/account/mod.rs std-runtime/src/account/builder.rs std-runtime/src/account/calls.rs std-runtime/src/account/giver.rs std-runtime/src/account/plan.rs std-runtime/src/builder.rs std-runtime/src/by_hand.rs std-runtime/src/clock.rs std-runtime/src/control.rs std-runtime/src/driver.rs std-runtime/src/end.rs std-runtime/src/enqueue.rs std-runtime/src/error.rs std-runtime/src/granted.rs std-runtime/src/handover.rs std-runtime/src/line.rs std-runtime/src/lobby.rs std-runtime/src/meter.rs std-runtime/src/queue.rs std-runtime/src/rate.rs std-runtime/src/register.rs std-runtime/src/registry/mod.rs std-runtime/src/registry/limits.rs std-runtime/src/seat.rs std-runtime/src/stats.rs std-runtime/src/stop.rs std-runtime/src/telemetry.rs std-runtime/src/timers.rs std-runtime/src/waiter.rs std-runtime/src/weighted.rs

/work/main/benches/instructions/target/instructions/release/deps/libapiqueue-57400eb0c8711711.rmeta: std-runtime/src/lib.rs std-runtime/src/account/mod.rs std-runtime/src/account/builder.rs std-runtime/src/account/calls.rs std-runtime/src/account/giver.rs std-runtime/src/account/plan.rs std-runtime/src/builder.rs std-runtime/src/by_hand.rs std-runtime/src/clock.rs std-runtime/src/control.rs std-runtime/src/driver.rs std-runtime/src/end.rs std-runtime/src/enqueue.rs std-runtime/src/error.rs std-runtime/src/granted.rs std-runtime/src/handover.rs std-runtime/src/line.rs std-runtime/src/lobby.rs std-runtime/src/meter.rs std-runtime/src/queue.rs std-runtime/src/rate.rs std-runtime/src/register.rs std-runtime/src/registry/mod.rs std-runtime/src/registry/limits.rs std-runtime/src/seat.rs std-runtime/src/stats.rs std-runtime/src/stop.rs std-runtime/src/telemetry.rs std-runtime/src/timers.rs std-runtime/src/waiter.rs std-runtime/src/weighted.rs

std-runtime/src/lib.rs:
std-runtime/src/account/mod.rs:
std-runtime/src/account/builder.rs:
std-runtime/src/account/calls.rs:
std-runtime/src/account/giver.rs:
std-runtime/src/account/plan.rs:
std-runtime/src/builder.rs:
std-runtime/src/by_hand.rs:
std-runtime/src/clock.rs:
std-runtime/src/control.rs:
std-runtime/src/driver.rs:
std-runtime/src/end.rs:
std-runtime/src/enqueue.rs:
std-runtime/src/error.rs:
std-runtime/src/granted.rs:
std-runtime/src/handover.rs:
std-runtime/src/line.rs:
std-runtime/src/lobby.rs:
std-runtime/src/meter.rs:
std-runtime/src/queue.rs:
std-runtime/src/rate.rs:
std-runtime/src/register.rs:
std-runtime/src/registry/mod.rs:
std-runtime/src/registry/limits.rs:
std-runtime/src/seat.rs:
std-runtime/src/stats.rs:
std-runtime/src/stop.rs:
std-runtime/src/telemetry.rs:
std-runtime/src/timers.rs:
std-runtime/src/waiter.rs:
std-runtime/src/weighted.rs:
