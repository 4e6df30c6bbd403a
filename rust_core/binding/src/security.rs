//! CCM, CCMP and frame batches for Python.

use numpy::ndarray::Dimension;
use numpy::{
    AsSliceError, Element, PyArray, PyArray1, PyArrayMethods, PyReadonlyArray, PyReadonlyArray1, PyUntypedArrayMethods,
};
use polyradio_core::frame_batch as core_batch;
use polyradio_core::ids::{KeyId, PacketNumber};
use polyradio_core::security::ccm::{Ccm, CcmError};
use polyradio_core::security::ccmp::{CcmpKey, OpenError, SealError};
use pyo3::exceptions::{PyIndexError, PyOverflowError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays;
use crate::error::{MicError, RemoteProtocolError, local};

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(ccm_seal, module)?)?;
    module.add_function(wrap_pyfunction!(ccm_open, module)?)?;
    module.add_function(wrap_pyfunction!(ccmp_seal, module)?)?;
    module.add_function(wrap_pyfunction!(ccmp_open, module)?)?;
    module.add_class::<FrameBatch>()
}

/// AES-CCM (RFC 3610): ciphertext || tag. Nonce 7 to 13 octets, tag 4 to 16, key 16 or 32.
#[pyfunction]
#[pyo3(signature = (key, nonce, aad, plaintext, tag_length, /))]
fn ccm_seal<'py>(
    py: Python<'py>,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    tag_length: Number,
) -> PyResult<Bound<'py, PyBytes>> {
    let ccm = Ccm::new(key, nonce.len(), tag_length.into()).map_err(ccm_error)?;
    PyBytes::new_with(py, plaintext.len() + ccm.tag_length(), |out| {
        ccm.seal(nonce, aad, plaintext, out).map_err(ccm_error)
    })
}

/// The plaintext; raises `MicError` where the tag is wrong.
#[pyfunction]
#[pyo3(signature = (key, nonce, aad, data, tag_length, /))]
fn ccm_open<'py>(
    py: Python<'py>,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    data: &[u8],
    tag_length: Number,
) -> PyResult<Bound<'py, PyBytes>> {
    let ccm = Ccm::new(key, nonce.len(), tag_length.into()).map_err(ccm_error)?;
    let length = data.len().checked_sub(ccm.tag_length()).ok_or(CcmError::Truncated).map_err(ccm_error)?;
    PyBytes::new_with(py, length, |out| ccm.open(nonce, aad, data, out).map_err(ccm_error))
}

/// A protected MPDU from a plaintext one (IEEE 802.11-2020 12.5.3); sets Protected Frame. Key 16 or 32 octets.
#[pyfunction]
#[pyo3(
    signature = (mpdu, key, packet_number, key_id = Number(0), /),
    text_signature = "(mpdu, key, packet_number, key_id=0, /)"
)]
fn ccmp_seal<'py>(
    py: Python<'py>,
    mpdu: &[u8],
    key: &[u8],
    packet_number: Number,
    key_id: Number,
) -> PyResult<Bound<'py, PyBytes>> {
    let key = ccmp_key(key)?;
    let number = PacketNumber::new(packet_number.0).ok_or_else(|| local("a packet number has 48 bits"))?;
    let key_id = u8::try_from(key_id.0).ok().and_then(KeyId::new).ok_or_else(|| local("a key ID is 0 to 3"))?;
    let length = key.sealed_length(mpdu).ok_or(SealError::TooLong).map_err(seal_error)?;
    PyBytes::new_with(py, length, |out| key.seal_into(mpdu, number, key_id, out).map(drop).map_err(seal_error))
}

/// The plaintext MPDU (Protected Frame cleared) and the packet number; raises `MicError`.
#[pyfunction]
#[pyo3(signature = (mpdu, key, /))]
fn ccmp_open<'py>(py: Python<'py>, mpdu: &[u8], key: &[u8]) -> PyResult<(Bound<'py, PyBytes>, u64)> {
    let key = ccmp_key(key)?;
    let mut number = 0;
    let opened = PyBytes::new_with(py, key.opened_length(mpdu).unwrap_or_default(), |out| {
        number = key.open_into(mpdu, out).map_err(open_error)?.packet_number.value();
        Ok(())
    })?;
    Ok((opened, number))
}

/// Frames one behind the other: frame i is `data[offsets[i]:offsets[i + 1]]`. Views are zero copy.
///
/// The data are an array of `NumPy`'s from the start, so a view is one more handle; they may be shared with whoever gave
/// them. The offsets were checked once and are this object's own, not writable.
#[pyclass(frozen, module = "polyradio")]
pub(crate) struct FrameBatch {
    data: Py<PyArray1<u8>>,
    offsets: Vec<u32>,
}

impl FrameBatch {
    /// The core's batch without a copy.
    pub(crate) fn from_core(py: Python<'_>, batch: core_batch::FrameBatch) -> PyResult<Self> {
        let length = batch.data().len();
        let (data, offsets) = batch.into_room();
        let data = arrays::lend(py, data, length)?.unbind();
        Ok(Self { data, offsets })
    }

    /// A copy for the core to keep or to change.
    pub(crate) fn to_core(&self, py: Python<'_>) -> PyResult<core_batch::FrameBatch> {
        let data = self.data.bind(py).try_readonly()?.as_slice().map_err(not_a_slice)?.to_vec();
        core_batch::FrameBatch::from_parts(data, self.offsets.clone()).map_err(|_| local(INVALID_OFFSETS))
    }

    /// The frames where they lie, for as long as this stands: nobody can borrow the array for writing meanwhile.
    pub(crate) fn read<'a>(&'a self, py: Python<'a>) -> PyResult<Reading<'a>> {
        Ok(Reading { data: self.data.bind(py).try_readonly()?, offsets: &self.offsets })
    }

    fn frame<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.read(py)?.frames()?.frame(index).map(|frame| PyBytes::new(py, frame)))
    }
}

#[pymethods]
impl FrameBatch {
    #[new]
    fn new(data: &Bound<'_, PyArray1<u8>>, offsets: &Bound<'_, PyArray1<u32>>) -> PyResult<Self> {
        let offsets = offsets.try_readonly()?.as_slice().map_err(not_a_slice)?.to_vec();
        let length = data.try_readonly()?.as_slice().map_err(not_a_slice)?.len();
        core_batch::check_offsets(length, &offsets).map_err(|_| local(INVALID_OFFSETS))?;
        Ok(Self { data: data.clone().unbind(), offsets })
    }

    /// From separate frames, copied.
    #[staticmethod]
    fn from_frames(py: Python<'_>, frames: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut batch = core_batch::FrameBatch::new();
        for frame in frames.try_iter()? {
            if !batch.push(frame?.cast::<PyBytes>()?.as_bytes()) {
                return Err(local("a batch holds less than 4 GiB"));
            }
        }
        Self::from_core(py, batch)
    }

    /// All octets.
    #[getter]
    fn data(&self, py: Python<'_>) -> Py<PyArray1<u8>> {
        self.data.clone_ref(py)
    }

    /// n + 1 offsets into the data, not writable.
    #[getter]
    fn offsets<'py>(batch: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArray1<u32>>> {
        arrays::view(batch, |batch| &batch.offsets)
    }

    const fn __len__(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: isize) -> PyResult<Bound<'py, PyBytes>> {
        let length = self.__len__();
        let index = if index < 0 { length.checked_add_signed(index) } else { usize::try_from(index).ok() };
        let frame = index.map_or(Ok(None), |index| self.frame(py, index))?;
        frame.ok_or_else(|| PyIndexError::new_err(format!("a batch of {length} frames has no such frame")))
    }

    fn __iter__(batch: Py<Self>) -> FrameBatchIterator {
        FrameBatchIterator { batch, next: 0 }
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("FrameBatch({} frames, {} octets)", self.__len__(), self.data.bind(py).len())
    }
}

/// A batch's data, borrowed for reading, and its offsets.
pub(crate) struct Reading<'py> {
    data: PyReadonlyArray1<'py, u8>,
    offsets: &'py [u32],
}

impl Reading<'_> {
    pub(crate) fn frames(&self) -> PyResult<core_batch::Frames<'_>> {
        // The offsets are as they were; the array may have another length by now.
        let data = self.data.as_slice().map_err(not_a_slice)?;
        core_batch::Frames::from_checked_parts(data, self.offsets).map_err(|_| local(INVALID_OFFSETS))
    }
}

/// Goes through a batch from its first frame to its last.
#[pyclass]
struct FrameBatchIterator {
    batch: Py<FrameBatch>,
    next: usize,
}

#[pymethods]
impl FrameBatchIterator {
    fn __iter__(iterator: Py<Self>) -> Py<Self> {
        iterator
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let frame = self.batch.get().frame(py, self.next)?;
        self.next += usize::from(frame.is_some());
        Ok(frame)
    }
}

/// A number that is not negative and fits in 64 bits; another one is the caller's mistake, not an `OverflowError`.
#[derive(Clone, Copy)]
struct Number(u64);

impl<'py> FromPyObject<'_, 'py> for Number {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract::<u64>().map(Self).map_err(|error| {
            if error.is_instance_of::<PyOverflowError>(object.py()) {
                local(format!("{} is out of range", object.to_owned()))
            } else {
                error
            }
        })
    }
}

impl From<Number> for usize {
    fn from(number: Number) -> Self {
        Self::try_from(number.0).unwrap_or(Self::MAX)
    }
}

/// The array itself where its elements lie one behind the other, else a copy.
pub(crate) fn in_order<'py, T: Element, D: Dimension>(
    array: &Bound<'py, PyArray<T, D>>,
) -> PyResult<PyReadonlyArray<'py, T, D>> {
    if array.is_c_contiguous() && array.is_aligned() {
        return Ok(array.try_readonly()?);
    }
    let copy = array.call_method0("copy")?.cast_into::<PyArray<T, D>>()?;
    Ok(copy.try_into_readonly()?)
}

fn ccmp_key(key: &[u8]) -> PyResult<CcmpKey> {
    CcmpKey::new(key).map_err(|error| local(error.to_string()))
}

fn ccm_error(error: CcmError) -> PyErr {
    match error {
        // Data that is shorter than a tag has no right tag either.
        CcmError::MicFailed | CcmError::Truncated => MicError::new_err(error.to_string()),
        _ => local(error.to_string()),
    }
}

fn seal_error(error: SealError) -> PyErr {
    local(error.to_string())
}

fn open_error(error: OpenError) -> PyErr {
    match error {
        OpenError::MicFailed => MicError::new_err(error.to_string()),
        _ => RemoteProtocolError::new_err(error.to_string()),
    }
}

pub(crate) fn not_a_slice(_: AsSliceError) -> PyErr {
    local("the array is not contiguous")
}

const INVALID_OFFSETS: &str = "offsets start at 0, never fall, and end at the data's length";
