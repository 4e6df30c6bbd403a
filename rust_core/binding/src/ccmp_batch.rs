//! CCMP over batches with the caller's keys, by a backend of the caller's choice.

use std::sync::OnceLock;

use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use polyradio_core::device::DropReason;
use polyradio_core::frame_batch::FrameBatch as CoreBatch;
use polyradio_core::ids::PacketNumber;
use polyradio_core::security::ccmp::{Backend, InvalidKeyLength, OpenError, SealError};
use polyradio_core::security::ccmp_batch::{self as core_ccmp, BatchError, BatchKeys};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays;
use crate::device::verdict_numbers;
use crate::error::local;
use crate::security::{FrameBatch, in_order, not_a_slice};

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(ccmp_backends, module)?)?;
    module.add_function(wrap_pyfunction!(ccmp_seal_batch, module)?)?;
    module.add_function(wrap_pyfunction!(ccmp_open_batch, module)?)?;
    module.add_class::<CcmpResult>()
}

/// What became of a batch: the frames that passed, and a packet number and a verdict for each frame that went in.
///
/// Lists are made when they are first asked for: many callers look at one of them, or at none.
#[pyclass(frozen, module = "polyradio")]
struct CcmpResult {
    frames: Py<FrameBatch>,
    results: Results,
    numbers: OnceLock<Vec<u64>>,
    verdict: PyOnceLock<Py<PyArray1<u8>>>,
}

enum Results {
    Sealed(Vec<Result<PacketNumber, SealError>>),
    Opened(Vec<Result<PacketNumber, OpenError>>),
}

impl CcmpResult {
    fn new(py: Python<'_>, frames: CoreBatch, results: Results) -> PyResult<Self> {
        let frames = Py::new(py, FrameBatch::from_core(py, frames)?)?;
        Ok(Self { frames, results, numbers: OnceLock::new(), verdict: PyOnceLock::new() })
    }
}

impl Results {
    fn numbers(&self) -> Vec<u64> {
        fn of<E: Copy>(results: &[Result<PacketNumber, E>]) -> Vec<u64> {
            results.iter().map(|result| result.map_or(0, PacketNumber::value)).collect()
        }
        match self {
            Self::Sealed(results) => of(results),
            Self::Opened(results) => of(results),
        }
    }

    fn verdicts(&self) -> Vec<u8> {
        fn of<E: Copy + Into<DropReason>>(results: &[Result<PacketNumber, E>]) -> Vec<u8> {
            verdict_numbers(results.iter().map(|result| result.map(drop).map_err(Into::into)))
        }
        match self {
            Self::Sealed(results) => of(results),
            Self::Opened(results) => of(results),
        }
    }
}

#[pymethods]
impl CcmpResult {
    /// One frame for each input; empty where the verdict is not 0.
    #[getter]
    fn frames(&self, py: Python<'_>) -> Py<FrameBatch> {
        self.frames.clone_ref(py)
    }

    /// 0 where the verdict is not 0.
    #[getter]
    fn packet_number<'py>(result: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArray1<u64>>> {
        arrays::view(result, |result| result.numbers.get_or_init(|| result.results.numbers()))
    }

    /// 0: passed; else see `Verdict`.
    #[getter]
    fn verdict(&self, py: Python<'_>) -> Py<PyArray1<u8>> {
        let make = || self.results.verdicts().into_pyarray(py).unbind();
        self.verdict.get_or_init(py, make).clone_ref(py)
    }
}

/// The implementations of CCMP, the slowest first, and whether this processor has them.
#[pyfunction]
fn ccmp_backends(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let backends = PyDict::new(py);
    for backend in Backend::ALL {
        backends.set_item(backend.name(), backend.is_available())?;
    }
    Ok(backends)
}

/// Seals each frame with its key and its packet number (IEEE 802.11-2020 12.5.3). Without `backend`, by the best one.
#[pyfunction]
#[pyo3(signature = (batch, keys, packet_numbers, *, key_ids = None, backend = None))]
fn ccmp_seal_batch(
    py: Python<'_>,
    batch: &Bound<'_, FrameBatch>,
    keys: Keys<'_>,
    packet_numbers: &Bound<'_, PyArray1<u64>>,
    key_ids: Option<&Bound<'_, PyArray1<u8>>>,
    backend: Option<&str>,
) -> PyResult<CcmpResult> {
    let backend = chosen(backend)?;
    let reading = batch.get().read(py)?;
    let frames = reading.frames()?;
    let (numbers, key_ids) = (in_order(packet_numbers)?, key_ids.map(in_order).transpose()?);
    let numbers = numbers.as_slice().map_err(not_a_slice)?;
    let key_ids = key_ids.as_ref().map(PyReadonlyArray1::as_slice).transpose().map_err(not_a_slice)?;
    let memory = arrays::for_batch(frames);
    let outcome = keys.with(py, |keys| core_ccmp::seal(backend, frames, keys, numbers, key_ids, memory))?;
    CcmpResult::new(py, outcome.frames, Results::Sealed(outcome.results))
}

/// Opens each frame with its key. Replay is the caller's to check, by the packet numbers of the result.
#[pyfunction]
#[pyo3(signature = (batch, keys, *, backend = None))]
fn ccmp_open_batch(
    py: Python<'_>,
    batch: &Bound<'_, FrameBatch>,
    keys: Keys<'_>,
    backend: Option<&str>,
) -> PyResult<CcmpResult> {
    let backend = chosen(backend)?;
    let reading = batch.get().read(py)?;
    let frames = reading.frames()?;
    let memory = arrays::for_batch(frames);
    let outcome = keys.with(py, |keys| core_ccmp::open(backend, frames, keys, memory))?;
    CcmpResult::new(py, outcome.frames, Results::Opened(outcome.results))
}

/// One key for all frames, or an array with a key for each.
enum Keys<'py> {
    One(Bound<'py, PyBytes>),
    Each(PyReadonlyArray2<'py, u8>),
}

impl Keys<'_> {
    /// Does the work with these keys, expanded, while other threads of Python may run.
    fn with<T: Send>(
        self,
        py: Python<'_>,
        work: impl FnOnce(&BatchKeys) -> Result<T, BatchError> + Send,
    ) -> PyResult<T> {
        let done = match self {
            Self::One(key) => {
                let key = key.as_bytes();
                py.detach(|| BatchKeys::one(key).map(|keys| work(&keys)))
            }
            Self::Each(keys) => {
                let length = keys.shape().last().copied().unwrap_or_default();
                let keys = keys.as_slice().map_err(not_a_slice)?;
                py.detach(|| BatchKeys::each(keys, length).map(|keys| work(&keys)))
            }
        };
        done.map_err(|error: InvalidKeyLength| local(error.to_string()))?.map_err(|error| local(error.to_string()))
    }
}

impl<'py> FromPyObject<'_, 'py> for Keys<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(key) = object.cast::<PyBytes>() {
            Ok(Self::One(key.to_owned()))
        } else if let Ok(keys) = object.cast::<PyArray2<u8>>() {
            Ok(Self::Each(in_order(&keys)?))
        } else {
            Err(PyTypeError::new_err("keys are bytes, or an array uint8[n, 16] or uint8[n, 32]"))
        }
    }
}

fn chosen(backend: Option<&str>) -> PyResult<Backend> {
    backend.map_or_else(|| Ok(Backend::best()), core_ccmp::backend_named).map_err(|error| local(error.to_string()))
}
