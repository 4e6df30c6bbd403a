//! The runtime for Python: ports, devices, access points, time.

use core::time::Duration;
use std::path::Path;

use polyradio_core::access_point::{AccessPoint, StationParameters};
use polyradio_core::air::Link;
use polyradio_core::device::DeviceConfig;
use polyradio_core::frame_batch;
use polyradio_core::host::{DataPlane, port};
use polyradio_core::host_api::call::CipherSuite;
use polyradio_core::ids::{Identifier, KeyId, VmId, VrId};
use polyradio_core::runtime::{self, NicStation, Stop};
use polyradio_core::time::Instant;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::device::{device_counters, row_dict};
use crate::error::{local, rejected};
use crate::security::FrameBatch;
use crate::wire::mac_addr;

/// Frames to be sent: a batch, or a list of octet strings.
#[derive(FromPyObject)]
enum Frames<'py> {
    Batch(PyRef<'py, FrameBatch>),
    List(Vec<Vec<u8>>),
}

#[pyclass(frozen, module = "polyradio")]
struct MemoryPort(port::MemoryPort);

#[pymethods]
impl MemoryPort {
    #[new]
    #[pyo3(signature = (*, capacity = 4096))]
    fn new(capacity: usize) -> Self {
        Self(port::MemoryPort::new(capacity))
    }

    fn push(&self, py: Python<'_>, frames: Frames<'_>) -> PyResult<usize> {
        match frames {
            Frames::Batch(batch) => Ok(self.0.push(batch.to_core(py)?)),
            Frames::List(list) => {
                let mut batch = frame_batch::FrameBatch::new();
                for frame in &list {
                    batch.push(frame);
                }
                Ok(self.0.push(batch))
            }
        }
    }

    fn take(&self, py: Python<'_>) -> PyResult<FrameBatch> {
        FrameBatch::from_core(py, self.0.take())
    }

    #[getter]
    fn pending(&self) -> usize {
        self.0.pending()
    }

    fn discard_received(&self, enabled: bool) {
        self.0.discard_received(enabled);
    }

    #[getter]
    fn received(&self) -> (u64, u64) {
        self.0.received()
    }
}

#[cfg(target_os = "linux")]
#[pyclass(frozen, module = "polyradio")]
struct TapPort(polyradio_core::host::tap::Tap);

#[cfg(target_os = "linux")]
#[pymethods]
impl TapPort {
    #[new]
    fn new(fd: i32) -> PyResult<Self> {
        Ok(Self(polyradio_core::host::tap::Tap::duplicate(fd)?))
    }
}

/// Where there is no TAP the name is there, so that what imports it can be imported.
#[cfg(not(target_os = "linux"))]
#[pyclass(frozen, module = "polyradio")]
struct TapPort;

#[cfg(not(target_os = "linux"))]
#[pymethods]
impl TapPort {
    #[new]
    fn new(_fd: i32) -> PyResult<Self> {
        Err(crate::error::NotAvailable::new_err("TAP ports need Linux"))
    }
}

/// A port of either kind.
#[derive(FromPyObject)]
enum AnyPort<'py> {
    Memory(PyRef<'py, MemoryPort>),
    Tap(PyRef<'py, TapPort>),
}

impl AnyPort<'_> {
    fn to_core(&self) -> PyResult<port::Port> {
        Ok(match self {
            Self::Memory(port) => port::Port::Memory(port.0.clone()),
            #[cfg(target_os = "linux")]
            Self::Tap(port) => port::Port::Tap(port.0.try_clone()?),
            #[cfg(not(target_os = "linux"))]
            Self::Tap(_) => return Err(crate::error::NotAvailable::new_err("TAP ports need Linux")),
        })
    }
}

#[pyclass(module = "polyradio")]
struct Runtime(runtime::Runtime);

impl Runtime {
    fn device(&mut self, number: usize) -> PyResult<&mut NicStation> {
        self.0.device_mut(number).ok_or_else(|| local(format!("radio {number} is no device")))
    }

    fn guests(&mut self, device: usize) -> PyResult<&mut DataPlane> {
        Ok(&mut self.device(device)?.plane)
    }

    fn access_point(&mut self, number: usize) -> PyResult<&mut AccessPoint> {
        let access_point = self.0.access_point_mut(number).map(|access_point| &mut access_point.plane);
        access_point.ok_or_else(|| local(format!("radio {number} is no access point")))
    }

    fn check_radio(&self, number: usize) -> PyResult<()> {
        let exists = number < self.0.radios();
        exists.then_some(()).ok_or_else(|| local(format!("there is no radio {number}")))
    }
}

#[pymethods]
#[expect(clippy::similar_names, clippy::needless_pass_by_value, reason = "the stub says the names, PyO3 the form")]
impl Runtime {
    #[new]
    #[pyo3(signature = (seed, *, wall_clock = false))]
    fn new(seed: u64, wall_clock: bool) -> Self {
        Self(runtime::Runtime::new(seed, wall_clock))
    }

    #[getter]
    fn now_ns(&self) -> u64 {
        self.0.now().as_nanos()
    }

    fn run(&mut self, py: Python<'_>, until_ns: u64) -> PyResult<u64> {
        let until = Instant::from_nanos(until_ns);
        self.0.begin_run();
        while py.detach(|| self.0.run(until, STEPS_BETWEEN_SIGNALS)) == Stop::Interrupted {
            py.check_signals()?;
        }
        Ok(self.now_ns())
    }

    #[pyo3(signature = (a, b, *, snr_db = 40.0, loss = 0.0, delay_us = 0))]
    fn set_link(&mut self, a: usize, b: usize, snr_db: f64, loss: f64, delay_us: u64) -> PyResult<()> {
        if !(0.0..=1.0).contains(&loss) {
            return Err(local(format!("a share of lost frames is 0 to 1, not {loss}")));
        }
        let link = Link { snr_db, loss, delay: Duration::from_micros(delay_us) };
        let exist = self.0.set_link(a, b, link);
        exist.then_some(()).ok_or_else(|| local(format!("there is no link between radios {a} and {b}")))
    }

    fn set_ideal_air(&mut self, enabled: bool) {
        self.0.medium().set_ideal(enabled);
    }

    fn set_radio_enabled(&mut self, radio: usize, enabled: bool) -> PyResult<()> {
        self.check_radio(radio)?;
        self.0.medium().set_enabled(radio, enabled);
        Ok(())
    }

    fn start_capture(&mut self, path: &str, vms: Vec<(u16, String)>) -> PyResult<()> {
        let vms: Vec<(VmId, String)> = vms.into_iter().map(|(vm, name)| (VmId::new(vm), name)).collect();
        Ok(self.0.start_capture(Path::new(path), &vms)?)
    }

    fn finish_capture(&mut self) -> PyResult<u64> {
        Ok(self.0.finish_capture()?)
    }

    fn airtime_ns<'py>(&mut self, py: Python<'py>, radio: usize) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        self.check_radio(radio)?;
        for (vm, airtime) in self.0.medium().airtime(radio) {
            dict.set_item(vm.map(Identifier::to_u16), airtime.as_nanos())?;
        }
        Ok(dict)
    }

    #[pyo3(signature = (*, max_vms = 64, queue_length = 64, switch_us = 500))]
    fn add_device(&mut self, max_vms: u32, queue_length: u16, switch_us: u32) -> usize {
        self.0.add_device(DeviceConfig { max_vms, queue_length, switch_us, ..DeviceConfig::default() })
    }

    fn submit(&mut self, device: usize, messages: &[u8]) -> PyResult<()> {
        let now = self.0.now();
        self.device(device)?.submit(messages, now);
        Ok(())
    }

    fn take_messages<'py>(&mut self, py: Python<'py>, device: usize) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.device(device)?.take_messages()))
    }

    fn device_counters<'py>(&mut self, py: Python<'py>, device: usize) -> PyResult<Bound<'py, PyDict>> {
        device_counters(py, &self.device(device)?.nic)
    }

    fn device_rows<'py>(&mut self, py: Python<'py>, device: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.device(device)?.nic.rows().map(|row| row_dict(py, row)).collect()
    }

    #[pyo3(signature = (device, vr_id, vm_id, mac, port, *, legacy = false))]
    fn attach_guest(
        &mut self,
        device: usize,
        vr_id: u16,
        vm_id: u16,
        mac: &[u8],
        port: AnyPort<'_>,
        legacy: bool,
    ) -> PyResult<()> {
        let (address, port) = (mac_addr(mac)?, port.to_core()?);
        let is_free = self.guests(device)?.attach(VrId::new(vr_id), VmId::new(vm_id), address, port, legacy);
        is_free.then_some(()).ok_or_else(|| local(format!("virtual radio {vr_id} has a guest already")))
    }

    fn detach_guest(&mut self, device: usize, vr_id: u16) -> PyResult<()> {
        let found = self.guests(device)?.detach(VrId::new(vr_id));
        found.then_some(()).ok_or_else(|| no_guest(vr_id))
    }

    #[pyo3(signature = (device, vr_id, *, bssid, qos = true))]
    fn set_guest_link(&mut self, device: usize, vr_id: u16, bssid: Option<&[u8]>, qos: bool) -> PyResult<()> {
        let bssid = bssid.map(mac_addr).transpose()?;
        let found = self.guests(device)?.set_link(VrId::new(vr_id), bssid, qos);
        found.then_some(()).ok_or_else(|| no_guest(vr_id))
    }

    fn guest_counters<'py>(&mut self, py: Python<'py>, device: usize, vr_id: u16) -> PyResult<Bound<'py, PyDict>> {
        let guest = self.guests(device)?.guest(VrId::new(vr_id)).ok_or_else(|| no_guest(vr_id))?;
        let dict = PyDict::new(py);
        for (name, count) in guest.counters().iter() {
            dict.set_item(name, count)?;
        }
        Ok(dict)
    }

    #[pyo3(signature = (*, bssid, channel, wired = None))]
    fn add_access_point(&mut self, bssid: &[u8], channel: u8, wired: Option<AnyPort<'_>>) -> PyResult<usize> {
        let wired = wired.map(|port| port.to_core()).transpose()?;
        Ok(self.0.add_access_point(AccessPoint::new(mac_addr(bssid)?, channel), wired))
    }

    fn set_beacon(&mut self, access_point: usize, frame: &[u8], interval_tu: u16) -> PyResult<()> {
        let now = self.0.now();
        self.access_point(access_point)?.set_beacon(frame, interval_tu, now).map_err(|error| local(error.to_string()))
    }

    #[pyo3(signature = (access_point, address, *, association_id, qos, authorized, privacy))]
    fn set_station(
        &mut self,
        access_point: usize,
        address: &[u8],
        association_id: u16,
        qos: bool,
        authorized: bool,
        privacy: bool,
    ) -> PyResult<()> {
        let parameters = StationParameters { association_id, qos, authorized, privacy };
        self.access_point(access_point)?.set_station(mac_addr(address)?, parameters);
        Ok(())
    }

    fn remove_station(&mut self, access_point: usize, address: &[u8]) -> PyResult<()> {
        self.access_point(access_point)?.remove_station(mac_addr(address)?);
        Ok(())
    }

    fn install_key(
        &mut self,
        access_point: usize,
        address: Option<&[u8]>,
        key_id: u8,
        cipher: u32,
        key: &[u8],
    ) -> PyResult<()> {
        let address = address.map(mac_addr).transpose()?;
        let key_id = KeyId::new(key_id).ok_or_else(|| local(format!("a key identifier is 0 to 3, not {key_id}")))?;
        let cipher = CipherSuite((cipher & 0xff) as u8);
        self.access_point(access_point)?.install_key(address, key_id, cipher, key).map_err(rejected)
    }

    fn group_packet_number(&mut self, access_point: usize) -> PyResult<u64> {
        Ok(self.access_point(access_point)?.group_packet_number().value())
    }

    #[pyo3(signature = (access_point, frame, *, unprotected = false))]
    fn send_frame(&mut self, access_point: usize, frame: &[u8], unprotected: bool) -> PyResult<()> {
        self.access_point(access_point)?.send_frame(frame, unprotected).map_err(|error| local(error.to_string()))
    }

    fn take_frames<'py>(&mut self, py: Python<'py>, access_point: usize) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let access_point = self.access_point(access_point)?;
        Ok(core::iter::from_fn(|| access_point.poll_frame()).map(|frame| PyBytes::new(py, &frame)).collect())
    }

    fn access_point_counters<'py>(&mut self, py: Python<'py>, access_point: usize) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, count) in self.access_point(access_point)?.counters().iter() {
            dict.set_item(name, count)?;
        }
        Ok(dict)
    }

    fn station_counters<'py>(&mut self, py: Python<'py>, access_point: usize) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for station in self.access_point(access_point)?.stations() {
            let counters = PyDict::new(py);
            for (name, count) in station.counters().iter() {
                counters.set_item(name, count)?;
            }
            dict.set_item(PyBytes::new(py, &station.address().octets()), counters)?;
        }
        Ok(dict)
    }
}

fn no_guest(vr_id: u16) -> PyErr {
    local(format!("virtual radio {vr_id} has no guest"))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<MemoryPort>()?;
    module.add_class::<TapPort>()?;
    module.add_class::<Runtime>()
}

/// How many steps of the event loop pass before Python may see a signal.
const STEPS_BETWEEN_SIGNALS: u32 = 4096;
