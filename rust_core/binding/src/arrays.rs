//! Arrays over memory that is not `NumPy`'s own: the frames of results, and lists that an object holds.
//!
//! What Python lets go of is used for the next batch: new memory is filled with zeros before it is written, which costs a
//! tenth of the time of a batch of long frames, and its pages come from the system one by one. What is kept is little, and
//! nobody sees what was in it: an array shows only what its batch has written.
//!
//! JUSTIFICATION for `unsafe`: `NumPy` is told that an array's elements live as long as an object. The array holds a
//! reference to that object, which owns them, and does not change them.

#![expect(unsafe_code, reason = "arrays over memory of other owners; see the module's JUSTIFICATION")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::ndarray::ArrayView1;
use numpy::{Element, PyArray1, PyArrayMethods};
use polyradio_core::frame_batch::Frames;
use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;

/// Buffers that wait for a batch, the last one first: it may still be in a cache.
static WAITING: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// So many buffers wait at most,
const BUFFERS: usize = 4;

/// each of so many octets at most,
const LARGEST: usize = 8 << 20;

/// and of so many at least: shorter ones are as quickly made.
const SHORTEST: usize = 4 << 10;

/// What CCMP-256 adds to a frame: its header and its MIC.
const OVERHEAD: usize = 24;

/// Memory for what these frames become: new where none waits that is long enough, and not so long that a short result would
/// keep it from the long ones.
pub(crate) fn for_batch(frames: Frames<'_>) -> Vec<u8> {
    let octets = frames.data().len() + OVERHEAD * frames.len();
    let mut waiting = waiting();
    let fits = |buffer: &Vec<u8>| buffer.len() >= octets && buffer.len() / 8 <= octets.max(SHORTEST);
    let found = waiting.iter().rposition(fits);
    let found = found.map(|place| waiting.remove(place));
    drop(waiting);
    found.unwrap_or_else(|| vec![0; octets])
}

/// The first `length` octets as an array that `Python` may also write.
pub(crate) fn lend(py: Python<'_>, mut octets: Vec<u8>, length: usize) -> PyResult<Bound<'_, PyArray1<u8>>> {
    let (start, length) = (octets.as_mut_ptr(), length.min(octets.len()));
    // To move the vector leaves its octets where they are.
    let lender = Bound::new(py, Lender(octets))?.into_any();
    // SAFETY: there are so many octets, and they stay until the lender is dropped, which the array holds; nothing else
    // reads or writes them until then.
    Ok(unsafe { PyArray1::borrow_from_array(&ArrayView1::from_shape_ptr(length, start), lender) })
}

/// What an object holds as an array that nobody may write.
pub(crate) fn view<'py, O, T>(owner: &Bound<'py, O>, values: fn(&O) -> &[T]) -> PyResult<Bound<'py, PyArray1<T>>>
where
    O: PyClass<Frozen = True> + Sync,
    T: Element,
{
    let values = ArrayView1::from(values(owner.get()));
    // SAFETY: a frozen object is only ever shared, so what it lends stays as it is for as long as it lives, and the array
    // holds it.
    let array = unsafe { PyArray1::borrow_from_array(&values, owner.clone().into_any()) };
    array.try_readwrite()?.make_nonwriteable();
    Ok(array)
}

/// Owns the octets of one array and gives them back when it is gone.
#[pyclass(frozen, module = "polyradio")]
struct Lender(Vec<u8>);

impl Drop for Lender {
    fn drop(&mut self) {
        let octets = core::mem::take(&mut self.0);
        if !(SHORTEST..=LARGEST).contains(&octets.len()) {
            return;
        }
        let mut waiting = waiting();
        // The one that has waited longest makes room: buffers of a size that is no longer asked for do not stay for ever.
        let longest = (waiting.len() >= BUFFERS).then(|| waiting.remove(0));
        waiting.push(octets);
        drop(waiting);
        drop(longest);
    }
}

/// A list is never left half done by a panic.
fn waiting() -> MutexGuard<'static, Vec<Vec<u8>>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}
