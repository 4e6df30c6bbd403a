//! Capture files for Python.

use std::fs::File;
use std::io::BufWriter;

use polyradio_core::wire::{capture, pcapng};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::error::{local, remote};

#[pyclass(frozen, module = "polyradio._core")]
struct CapturedFrame {
    #[pyo3(get)]
    number: u64,
    #[pyo3(get)]
    timestamp_ns: u64,
    #[pyo3(get)]
    interface: usize,
    #[pyo3(get)]
    link_type: u16,
    #[pyo3(get)]
    frame: Py<PyBytes>,
    #[pyo3(get)]
    packet: Py<PyBytes>,
    #[pyo3(get)]
    header_length: usize,
    #[pyo3(get)]
    original_length: u32,
    #[pyo3(get)]
    has_bad_fcs: bool,
    #[pyo3(get)]
    comment: Option<String>,
    #[pyo3(get)]
    error: Option<String>,
}

#[pymethods]
impl CapturedFrame {
    fn __repr__(&self, py: Python<'_>) -> String {
        let octets = self.frame.bind(py).as_bytes().len();
        format!("CapturedFrame(number={}, timestamp_ns={}, {octets} octets)", self.number, self.timestamp_ns)
    }
}

#[pyclass(module = "polyradio._core")]
struct CaptureReader {
    reader: capture::CaptureReader<PyBackedBytes>,
    number: u64,
}

#[pymethods]
impl CaptureReader {
    #[new]
    fn new(data: PyBackedBytes) -> PyResult<Self> {
        Ok(Self { reader: capture::CaptureReader::new(data).map_err(remote)?, number: 0 })
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> Option<CapturedFrame> {
        let record = self.reader.next()?;
        let packet = self.reader.packet(&record);
        let found = capture::frame_of(&record, packet);
        self.number += 1;
        Some(CapturedFrame {
            number: self.number,
            timestamp_ns: record.timestamp_ns,
            interface: record.interface,
            link_type: record.link_type,
            frame: PyBytes::new(py, &found.mpdu).unbind(),
            packet: PyBytes::new(py, packet).unbind(),
            header_length: found.header_length,
            original_length: record.original_length,
            has_bad_fcs: found.has_bad_fcs,
            comment: record.comment,
            error: found.error.map(|error| error.to_string()),
        })
    }

    #[getter]
    fn format(&self) -> &'static str {
        self.reader.format()
    }

    #[getter]
    fn interfaces(&self) -> Vec<Option<&str>> {
        self.reader.interfaces()
    }

    #[getter]
    fn error(&self) -> Option<String> {
        self.reader.error().map(|error| error.to_string())
    }
}

#[pyclass(module = "polyradio._core")]
struct PcapngWriter(Option<pcapng::PcapngWriter<BufWriter<File>>>);

impl PcapngWriter {
    fn open(&mut self) -> PyResult<&mut pcapng::PcapngWriter<BufWriter<File>>> {
        self.0.as_mut().ok_or_else(|| local("this capture is closed"))
    }
}

#[pymethods]
impl PcapngWriter {
    #[new]
    #[pyo3(signature = (path, *, application="polyradio", comment=None))]
    fn new(path: &str, application: &str, comment: Option<&str>) -> PyResult<Self> {
        let out = BufWriter::new(File::create(path)?);
        Ok(Self(Some(pcapng::PcapngWriter::new(out, application, comment)?)))
    }

    #[pyo3(signature = (name, link_type, description=None))]
    fn add_interface(&mut self, name: &str, link_type: u16, description: Option<&str>) -> PyResult<u32> {
        Ok(self.open()?.add_interface(name, link_type, description)?)
    }

    #[pyo3(signature = (interface, timestamp_ns, packet, *, original_length=None, comment=None))]
    fn write(
        &mut self,
        interface: u32,
        timestamp_ns: u64,
        packet: &[u8],
        original_length: Option<u32>,
        comment: Option<&str>,
    ) -> PyResult<()> {
        let written = self.open()?.write_packet(interface, timestamp_ns, packet, original_length, comment);
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidInput => local(error.to_string()),
            _ => error.into(),
        })
    }

    fn close(&mut self) -> PyResult<()> {
        if let Some(writer) = self.0.take() {
            writer.finish()?;
        }
        Ok(())
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CapturedFrame>()?;
    module.add_class::<CaptureReader>()?;
    module.add_class::<PcapngWriter>()
}
