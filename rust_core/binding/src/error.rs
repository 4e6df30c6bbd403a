//! The one translator from the core's errors to Python's exceptions.

use polyradio_core::host_api::CallError;
use polyradio_core::wire::ParseError;
use pyo3::PyErr;

pyo3::import_exception!(polyradio.errors, PolyradioError);
pyo3::import_exception!(polyradio.errors, LocalProtocolError);
pyo3::import_exception!(polyradio.errors, RemoteProtocolError);
pyo3::import_exception!(polyradio.errors, MicError);
pyo3::import_exception!(polyradio.errors, ReplayError);
pyo3::import_exception!(polyradio.errors, DeviceRejected);
pyo3::import_exception!(polyradio.errors, NotAvailable);

/// Octets that came from elsewhere could not be read.
pub(crate) fn remote(error: ParseError) -> PyErr {
    RemoteProtocolError::new_err(error.to_string())
}

/// The caller's arguments make no sense.
pub(crate) fn local(message: impl Into<String>) -> PyErr {
    LocalProtocolError::new_err(message.into())
}

/// The device refused a call; the exception's `call_error` is the name.
pub(crate) fn rejected(error: CallError) -> PyErr {
    DeviceRejected::new_err(format!("{error:?}"))
}
