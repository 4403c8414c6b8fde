/work/main/benches/instructions/target/instructions/release/deps/apiqueue_core-a5da1c6113b3e17b.d: core/src/lib.rs core/src/adaptive/mod.rs core/src/adaptive/aimd.rs core/src/adaptive/bounds.rs core/src/adaptive/controller.rs core/src/adaptive/course.rs core/src/adaptive/cubic.rs core/src/adaptive/meter.rs core/src/adaptive/micro.rs core/src/advance.rs core/src/atomic.rs core/src/bell.rs core/src/clock.rs core/src/control.rs core/src/error.rs core/src/grid.rs core/src/head.rs core/src/layout.rs core/src/line.rs core/src/manual.rs core/src/pace.rs core/src/queue.rs core/src/rate.rs core/src/release.rs core/src/ring.rs core/src/scale.rs core/src/schedule.rs core/src/slot.rs core/src/stamp.rs core/src/storage.rs core/src/tail.rs core/src/waiter.rs core/src/weight.rs core/src/weighted.rs

/work/main/benches/instructions/target/instructions/release/deps/libapiqueue_core-a5da1c6113b3e17b.rlib: core/src/lib.rs core/src/adaptive/mod.rs core/src/adaptive/aimd.rs core/src/adaptive/bounds.rs core/src/adaptive/controller.rs core/src/adaptive/course.rs core/src/adaptive/cubic.rs core/src/adaptive/meter.rs core/src/adaptive/micro.rs core/src/advance.rs core/src/atomic.rs core/src/bell.rs core/src/clock.rs core/src/control.rs core/src/error.rs core/src/grid.rs core/src/head.rs core/src/layout.rs core/src/line.rs core/src/manual.rs core/src/pace.rs core/src/queue.rs core/src/rate.rs core/src/release.rs core/src/ring.rs core/src/scale.rs core/src/schedule.rs core/src/slot.rs core/src/stamp.rs core/src/storage.rs core/src/tail.rs core/src/waiter.rs core/src/weight.rs core/src/weighted.rs

/work/main/benches/instructions/target/instructions/release/deps/libapiqueue_core-a5da1c6113b3e17b.rmeta: core/src/lib.rs core/src/adaptive/mod.rs core/src/adaptive/aimd.rs core/src/adaptive/bounds.rs core/src/adaptive/controller.rs core/src/adaptive/course.rs core/src/adaptive/cubic.rs core/src/adaptive/meter.rs core/src/adaptive/micro.rs core/src/advance.rs core/src/atomic.rs core/src/bell.rs core/src/clock.rs core/src/control.rs core/src/error.rs core/src/grid.rs core/src/head.rs core/src/layout.rs core/src/line.rs core/src/manual.rs core/src/pace.rs core/src/queue.rs core/src/rate.rs core/src/release.rs core/src/ring.rs core/src/scale.rs core/src/schedule.rs core/src/slot.rs core/src/stamp.rs core/src/storage.rs core/src/tail.rs core/src/waiter.rs core/src/weight.rs core/src/weighted.rs

core/src/lib.rs:
core/src/adaptive/mod.rs:
core/src/adaptive/aimd.rs:
core/src/adaptive/bounds.rs:
core/src/adaptive/controller.rs:
core/src/adaptive/course.rs:
core/src/adaptive/cubic.rs:
core/src/adaptive/meter.rs:
core/src/adaptive/micro.rs:
core/src/advance.rs:
core/src/atomic.rs:
core/src/bell.rs:
core/src/clock.rs:
core/src/control.rs:
core/src/error.rs:
core/src/grid.rs:
core/src/head.rs:
core/src/layout.rs:
core/src/line.rs:
core/src/manual.rs:
core/src/pace.rs:
core/src/queue.rs:
core/src/rate.rs:
core/src/release.rs:
core/src/ring.rs:
core/src/scale.rs:
core/src/schedule.rs:
core/src/slot.rs:
core/src/stamp.rs:
core/src/storage.rs:
core/src/tail.rs:
core/src/waiter.rs:
core/src/weight.rs:
core/src/weighted.rs:
