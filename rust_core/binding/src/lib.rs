//! `polyradio._core`: the core's types and functions for Python. No logic here; errors are translated in [`error`].

use mimalloc::MiMalloc;
use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

mod arrays;
mod bench;
mod capture;
mod ccmp_batch;
mod device;
mod error;
mod runtime;
mod security;
mod wire;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    wire::register(module)?;
    capture::register(module)?;
    security::register(module)?;
    ccmp_batch::register(module)?;
    device::register(module)?;
    runtime::register(module)?;
    bench::register(module)
}
