//! The benchmark's pieces of work for Python. Not part of `polyradio`'s interface: `polyradio.bench` alone uses it.

#![cfg_attr(
    all(target_os = "linux", target_arch = "x86_64"),
    expect(
        unsafe_code,
        reason = "addresses of C functions are Python's to promise; see `polyradio_core::bench::foreign`"
    )
)]

use std::sync::Mutex;

use polyradio_core::bench::ccmp::{CcmCrate, Ccmp};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use polyradio_core::bench::foreign;
use polyradio_core::bench::keyed::KeyedBatch;
use polyradio_core::bench::limit::{AesLimit, Chain, LineReads};
use polyradio_core::bench::lookup::{Lookup, StdMap};
use polyradio_core::bench::ring::{Direction, Shape};
use polyradio_core::bench::switch::Switch;
use polyradio_core::bench::table::{Part, TablePath, TableShape};
use polyradio_core::bench::{Handicapped, Work, WorkError};
use polyradio_core::security::ccmp::Backend;
use pyo3::prelude::*;

use crate::error::{NotAvailable, PolyradioError, local};

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(best_backend, module)?)?;
    module.add_function(wrap_pyfunction!(build_profile, module)?)?;
    module.add_class::<Workload>()
}

/// The implementation that is taken here.
#[pyfunction]
fn best_backend() -> &'static str {
    Backend::best().name()
}

/// `release` or `debug`.
#[pyfunction]
const fn build_profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// A measured piece of work, built once and run in slices.
#[pyclass(frozen, module = "polyradio._core")]
struct Workload {
    work: Mutex<Box<dyn Work>>,
    items: usize,
}

impl Workload {
    fn new(py: Python<'_>, make: impl FnOnce() -> Result<Box<dyn Work>, WorkError> + Send) -> PyResult<Self> {
        let work = py.detach(make).map_err(work_error)?;
        Ok(Self { items: work.items(), work: Mutex::new(work) })
    }

    fn handicapped(
        py: Python<'_>,
        percent: f64,
        make: impl FnOnce() -> Result<Box<dyn Work>, WorkError> + Send,
    ) -> PyResult<Self> {
        Self::new(py, || {
            let work = make()?;
            Ok(if percent == 0.0 { work } else { Box::new(Handicapped::new(work, percent)?) })
        })
    }
}

#[pymethods]
impl Workload {
    /// Batches of 64 CCMP packets through a backend; `lengths` of bodies are taken in turn.
    #[staticmethod]
    #[pyo3(signature = (direction, lengths, *, keys = 1, backend = None, cold = false, seed = 1, handicap = 0.0))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn ccmp(
        py: Python<'_>,
        direction: &str,
        lengths: Vec<usize>,
        keys: usize,
        backend: Option<&str>,
        cold: bool,
        seed: u64,
        handicap: f64,
    ) -> PyResult<Self> {
        let shape = Shape { direction: direction_of(direction)?, lengths, keys, is_cold: cold, seed };
        let backend = backend.map_or_else(|| Ok(Backend::best()), backend_of)?;
        Self::handicapped(py, handicap, move || Ok(Box::new(Ccmp::new(&shape, backend)?)))
    }

    /// What `ccmp_seal_batch` or `ccmp_open_batch` do, without Python: a batch of frames, each under its own key.
    #[staticmethod]
    #[pyo3(signature = (direction, length, *, batch = 256, seed = 1))]
    fn ccmp_batch(py: Python<'_>, direction: &str, length: usize, batch: usize, seed: u64) -> PyResult<Self> {
        let direction = direction_of(direction)?;
        Self::new(py, move || Ok(Box::new(KeyedBatch::new(direction, length, batch, seed)?)))
    }

    /// The AES rounds of CCM of these bodies alone, at the width of a backend's registers.
    #[staticmethod]
    fn aes_limit(py: Python<'_>, lengths: Vec<usize>, backend: &str) -> PyResult<Self> {
        let backend = backend_of(backend)?;
        Self::new(py, move || Ok(Box::new(AesLimit::new(&lengths, backend)?)))
    }

    /// The `ccm` and `aes` crates, one packet at a time.
    #[staticmethod]
    #[pyo3(signature = (direction, lengths, *, keys = 1, cold = false, seed = 1))]
    fn ccm_crate(
        py: Python<'_>,
        direction: &str,
        lengths: Vec<usize>,
        keys: usize,
        cold: bool,
        seed: u64,
    ) -> PyResult<Self> {
        let shape = Shape { direction: direction_of(direction)?, lengths, keys, is_cold: cold, seed };
        Self::new(py, move || Ok(Box::new(CcmCrate::new(&shape)?)))
    }

    /// OpenSSL's AES-128-CCM, one packet at a time: addresses of the cipher, `EVP_CIPHER_CTX_new`, `_free`, `_ctrl`, and
    /// of `Init_ex` and `Update` of the direction.
    #[staticmethod]
    #[pyo3(signature = (direction, lengths, addresses, *, keys = 1, cold = false, seed = 1))]
    fn openssl(
        py: Python<'_>,
        direction: &str,
        lengths: Vec<usize>,
        addresses: [usize; 6],
        keys: usize,
        cold: bool,
        seed: u64,
    ) -> PyResult<Self> {
        let shape = Shape { direction: direction_of(direction)?, lengths, keys, is_cold: cold, seed };
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        {
            let [cipher, new, free, ctrl, init, update] = addresses;
            let functions = foreign::OpenSslFunctions { cipher, new, free, ctrl, init, update };
            // SAFETY: the caller in Python took the addresses from the loaded library.
            Self::new(py, move || Ok(Box::new(unsafe { foreign::OpenSsl::new(&shape, functions) }?)))
        }
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        {
            let _ = (shape, addresses);
            Self::new(py, || Err(FOREIGN))
        }
    }

    /// intel-ipsec-mb 1.3, job by job: addresses of the manager, `keyexp_128`, `get_next_job`, `submit_job_nocheck`,
    /// `get_completed_job`, `flush_job`.
    #[staticmethod]
    #[pyo3(signature = (direction, lengths, addresses, *, keys = 1, cold = false, seed = 1))]
    fn ipsec_mb(
        py: Python<'_>,
        direction: &str,
        lengths: Vec<usize>,
        addresses: [usize; 6],
        keys: usize,
        cold: bool,
        seed: u64,
    ) -> PyResult<Self> {
        let shape = Shape { direction: direction_of(direction)?, lengths, keys, is_cold: cold, seed };
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        {
            let [manager, expand_key, next, submit, completed, flush] = addresses;
            let functions = foreign::IpsecMbFunctions { manager, expand_key, next, submit, completed, flush };
            // SAFETY: the caller in Python took the addresses from the loaded library.
            Self::new(py, move || Ok(Box::new(unsafe { foreign::IpsecMb::new(&shape, functions) }?)))
        }
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        {
            let _ = (shape, addresses);
            Self::new(py, || Err(FOREIGN))
        }
    }

    /// The connection table's bulk look-up of addresses, 64 at a time.
    #[staticmethod]
    #[pyo3(signature = (entries, *, seed = 1, handicap = 0.0))]
    fn lookup(py: Python<'_>, entries: usize, seed: u64, handicap: f64) -> PyResult<Self> {
        Self::handicapped(py, handicap, move || Ok(Box::new(Lookup::new(entries, seed)?)))
    }

    /// The same by `std::collections::HashMap` with its own hash.
    #[staticmethod]
    #[pyo3(signature = (entries, *, seed = 1))]
    fn hash_map(py: Python<'_>, entries: usize, seed: u64) -> PyResult<Self> {
        Self::new(py, move || Ok(Box::new(StdMap::new(entries, seed)?)))
    }

    /// One independent read for each item, in a table of eight octets an entry, half full.
    #[staticmethod]
    #[pyo3(signature = (entries, *, seed = 1))]
    fn line_reads(py: Python<'_>, entries: usize, seed: u64) -> PyResult<Self> {
        Self::new(py, move || Ok(Box::new(LineReads::new(entries, seed))))
    }

    /// Dependent steps, each one read and one multiplication, through that many octets.
    #[staticmethod]
    #[pyo3(signature = (octets, *, seed = 1))]
    fn chain(py: Python<'_>, octets: usize, seed: u64) -> PyResult<Self> {
        if octets > 1 << 30 {
            return Err(local("a chain goes through 1 GiB at most"));
        }
        Self::new(py, move || Ok(Box::new(Chain::new(octets, seed))))
    }

    /// Protected frames of many VMs through the connection table, or through the cryptography alone.
    #[staticmethod]
    #[pyo3(
        signature = (vms, length, *, batch = 256, only_ccmp = false, workers = 1, seed = 1, handicap = 0.0),
        text_signature = "(vms, length, *, batch=256, only_ccmp=False, workers=1, seed=1, handicap=0.0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn receive(
        py: Python<'_>,
        vms: usize,
        length: usize,
        batch: usize,
        only_ccmp: bool,
        workers: usize,
        seed: u64,
        handicap: f64,
    ) -> PyResult<Self> {
        let shape = TableShape { direction: Direction::Open, vms, length, batch, workers, seed };
        Self::table_path(py, shape, only_ccmp, handicap)
    }

    /// As `receive`, the other way.
    #[staticmethod]
    #[pyo3(
        signature = (vms, length, *, batch = 256, only_ccmp = false, workers = 1, seed = 1, handicap = 0.0),
        text_signature = "(vms, length, *, batch=256, only_ccmp=False, workers=1, seed=1, handicap=0.0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn transmit(
        py: Python<'_>,
        vms: usize,
        length: usize,
        batch: usize,
        only_ccmp: bool,
        workers: usize,
        seed: u64,
        handicap: f64,
    ) -> PyResult<Self> {
        let shape = TableShape { direction: Direction::Seal, vms, length, batch, workers, seed };
        Self::table_path(py, shape, only_ccmp, handicap)
    }

    /// The radio goes from one VM to another and back; `crowded`: all VMs have turns.
    #[staticmethod]
    #[pyo3(signature = (vms, *, crowded = false, handicap = 0.0))]
    fn switch(py: Python<'_>, vms: usize, crowded: bool, handicap: f64) -> PyResult<Self> {
        Self::handicapped(py, handicap, move || Ok(Box::new(Switch::new(vms, crowded)?)))
    }

    /// Items (packets, look-ups, switches) of one repetition.
    #[getter]
    const fn items(&self) -> usize {
        self.items
    }

    /// Does it that often, without the GIL; nanoseconds of the measured calls. Wrong results raise `PolyradioError`.
    fn run(&self, py: Python<'_>, repetitions: usize) -> PyResult<u64> {
        let taken = py.detach(|| self.work.lock().ok().map(|mut work| work.run(repetitions)));
        let taken = taken.ok_or_else(|| PolyradioError::new_err("the workload is broken"))?.map_err(work_error)?;
        Ok(u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Workload {
    fn table_path(py: Python<'_>, shape: TableShape, only_ccmp: bool, handicap: f64) -> PyResult<Self> {
        let part = if only_ccmp { Part::OnlyCcmp } else { Part::Whole };
        Self::handicapped(py, handicap, move || Ok(Box::new(TablePath::new(shape, part)?)))
    }
}

fn direction_of(name: &str) -> PyResult<Direction> {
    match name {
        "seal" => Ok(Direction::Seal),
        "open" => Ok(Direction::Open),
        _ => Err(local("a direction is seal or open")),
    }
}

fn backend_of(name: &str) -> PyResult<Backend> {
    Backend::named(name).ok_or_else(|| local("there is no such backend"))
}

fn work_error(error: WorkError) -> PyErr {
    match error {
        WorkError::Invalid(_) => local(error.to_string()),
        WorkError::NotHere(_) => NotAvailable::new_err(error.to_string()),
        WorkError::Wrong(_) => PolyradioError::new_err(error.to_string()),
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
const FOREIGN: WorkError = WorkError::NotHere("C libraries are measured on Linux on x86-64 only");
