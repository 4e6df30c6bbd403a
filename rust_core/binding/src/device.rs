//! The device for Python: its connection table by itself, and the emulated NIC for conformance tests.

use numpy::{IntoPyArray, PyArray1, PyArray2, PyUntypedArrayMethods};
use polyradio_core::air::{AirStation, Reception, TransmitReport};
use polyradio_core::device::batch::BatchOutcome;
use polyradio_core::device::{self as core_device, Counters, Device, DeviceConfig, DropReason, Row, RowSnapshot};
use polyradio_core::frame_batch::FrameBatch as CoreBatch;
use polyradio_core::host_api::CallError;
use polyradio_core::host_api::call::{CipherSuite, KeyScope};
use polyradio_core::ids::{Identifier, KeyId, MacAddr, PacketNumber, VmId, VrId};
use polyradio_core::time::Instant;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::arrays;
use crate::error::{NotAvailable, local, rejected};
use crate::security::{FrameBatch, in_order, not_a_slice};
use crate::wire::mac_addr;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("DROP_REASONS", PyTuple::new(py, DropReason::ALL.iter().map(|reason| reason.name()))?)?;
    module.add("CALL_ERRORS", PyTuple::new(py, CallError::ALL.map(|error| format!("{error:?}")))?)?;
    module.add("Verdict", verdict_class(py)?)?;
    module.add_class::<BatchResult>()?;
    module.add_class::<ConnectionTable>()?;
    module.add_class::<EmulatedNic>()
}

/// `IntEnum` with 0 for a frame that passed, and the drop reasons behind it.
fn verdict_class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let reasons = DropReason::ALL.iter().map(|reason| (reason.name().to_uppercase(), verdict_number(Err(*reason))));
    let members: Vec<(String, u8)> = [("OK".to_owned(), verdict_number(Ok(())))].into_iter().chain(reasons).collect();
    let module = PyDict::new(py);
    module.set_item("module", "polyradio")?;
    let class = py.import("enum")?.getattr("IntEnum")?.call(("Verdict", members), Some(&module))?;
    class.setattr(
        "__doc__",
        "Whether a frame of a batch passed (`OK`, 0), or why it was dropped: what `verdict` arrays hold.",
    )?;
    Ok(class)
}

/// What became of a batch: the frames that passed, and a VM and a verdict for each frame that went in.
#[pyclass(frozen, module = "polyradio")]
struct BatchResult {
    frames: Py<FrameBatch>,
    vm_id: Py<PyArray1<u16>>,
    verdict: Py<PyArray1<u8>>,
}

impl BatchResult {
    /// Takes the frames; the lists stay.
    fn from_core(py: Python<'_>, outcome: &mut BatchOutcome) -> PyResult<Self> {
        let BatchOutcome { frames, vms, verdicts } = outcome;
        Ok(Self {
            frames: Py::new(py, FrameBatch::from_core(py, core::mem::take(frames))?)?,
            vm_id: vm_numbers(vms).into_pyarray(py).unbind(),
            verdict: verdict_numbers(verdicts.iter().copied()).into_pyarray(py).unbind(),
        })
    }
}

#[pymethods]
impl BatchResult {
    /// One frame for each input; empty where the verdict is not 0.
    #[getter]
    fn frames(&self, py: Python<'_>) -> Py<FrameBatch> {
        self.frames.clone_ref(py)
    }

    /// 65535 where no VM was found.
    #[getter]
    fn vm_id(&self, py: Python<'_>) -> Py<PyArray1<u16>> {
        self.vm_id.clone_ref(py)
    }

    /// 0: passed; else see `Verdict`.
    #[getter]
    fn verdict(&self, py: Python<'_>) -> Py<PyArray1<u8>> {
        self.verdict.clone_ref(py)
    }
}

/// The NIC's per-VM connection table (US 8,392,625, 622) with its keys, as the device itself uses it.
#[pyclass(module = "polyradio")]
struct ConnectionTable {
    table: core_device::ConnectionTable,
    /// The lists of the last batch, for their memory.
    outcome: BatchOutcome,
}

#[pymethods]
impl ConnectionTable {
    #[new]
    #[pyo3(signature = (*, max_vms = 256, workers = 1))]
    fn new(max_vms: u32, workers: i64) -> PyResult<Self> {
        let workers = usize::try_from(workers).ok().filter(|workers| (1..=MAX_WORKERS).contains(workers));
        let workers = workers.ok_or_else(|| local(format!("there are 1 to {MAX_WORKERS} workers")))?;
        // 65535 says that there is none.
        let table = core_device::ConnectionTable::with_workers(max_vms.min(u32::from(NO_VM)), workers);
        table
            .map(|table| Self { table, outcome: BatchOutcome::default() })
            .map_err(|error| NotAvailable::new_err(error.to_string()))
    }

    #[pyo3(signature = (vm_id, mac, *, bssid = None, connected = true))]
    fn add_vm(&mut self, vm_id: i64, mac: &[u8], bssid: Option<&[u8]>, connected: bool) -> PyResult<()> {
        let bssid = bssid.map(mac_addr).transpose()?;
        self.table.add_vm(VmId::new(vm_number(vm_id)?), mac_addr(mac)?, bssid, connected).map_err(rejected)
    }

    fn remove_vm(&mut self, vm_id: i64) -> PyResult<()> {
        self.table.remove(row_of(vm_id)?).map(drop).map_err(rejected)
    }

    #[pyo3(signature = (vm_id, key_id, cipher, key, *, group = false, receive_counter = 0))]
    fn install_key(
        &mut self,
        vm_id: i64,
        key_id: i64,
        cipher: i64,
        key: &[u8],
        group: bool,
        receive_counter: i64,
    ) -> PyResult<()> {
        let cipher = CipherSuite(u8::try_from(cipher).map_err(|_| rejected(CallError::UnsupportedCipher))?);
        let counter = u64::try_from(receive_counter).ok().and_then(PacketNumber::new);
        let counter = counter.ok_or_else(|| local("a receive counter has 48 bits"))?;
        let (vr, key_id) = (row_of(vm_id)?, key_identifier(key_id)?);
        self.table.install_key(vr, scope(group), key_id, cipher, key, counter).map_err(rejected)
    }

    #[pyo3(signature = (vm_id, key_id, *, group = false))]
    fn remove_key(&mut self, vm_id: i64, key_id: i64, group: bool) -> PyResult<()> {
        self.table.remove_key(row_of(vm_id)?, scope(group), key_identifier(key_id)?).map_err(rejected)
    }

    /// Transmit path: VM by source address, then seal with its pairwise key.
    fn seal_batch(&mut self, py: Python<'_>, batch: &FrameBatch) -> PyResult<BatchResult> {
        let reading = batch.read(py)?;
        let frames = reading.frames()?;
        let memory = arrays::for_batch(frames);
        let Self { table, outcome } = self;
        py.detach(|| {
            outcome.frames = CoreBatch::in_memory(memory);
            table.seal_batch_into(frames, outcome);
        });
        BatchResult::from_core(py, outcome)
    }

    /// Receive path: VM by destination address, replay check, open.
    fn open_batch(&mut self, py: Python<'_>, batch: &FrameBatch) -> PyResult<BatchResult> {
        let reading = batch.read(py)?;
        let frames = reading.frames()?;
        let memory = arrays::for_batch(frames);
        let Self { table, outcome } = self;
        py.detach(|| {
            outcome.frames = CoreBatch::in_memory(memory);
            table.open_batch_into(frames, outcome);
        });
        BatchResult::from_core(py, outcome)
    }

    /// VM IDs for an (n, 6) array of addresses; 65535 where nobody owns one.
    fn lookup_batch<'py>(
        &self,
        py: Python<'py>,
        macs: &Bound<'py, PyArray2<u8>>,
    ) -> PyResult<Bound<'py, PyArray1<u16>>> {
        let &[_, 6] = macs.shape() else {
            return Err(local("addresses come as an array of shape (n, 6)"));
        };
        let macs = in_order(macs)?;
        let (macs, _) = macs.as_slice().map_err(not_a_slice)?.as_chunks();
        let mut found = vec![NO_VM; macs.len()];
        py.detach(|| self.table.vms_of(macs, &mut found));
        Ok(found.into_pyarray(py))
    }

    /// A row for each VM: addresses, connection, counters, which keys there are; never a key.
    fn dump<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.table.rows().map(|row| row_dict(py, row)).collect()
    }

    /// Everything but the keys' octets, to be given to `restore`.
    fn save<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.table.save())
    }

    fn restore(&mut self, saved: &[u8]) -> PyResult<()> {
        self.table.restore(saved).map_err(rejected)
    }

    fn __len__(&self) -> usize {
        self.table.len()
    }
}

/// The emulated NIC by itself: host API octets in and out, air frames in and out, time as an argument.
#[pyclass(module = "polyradio")]
struct EmulatedNic(Device);

#[pymethods]
impl EmulatedNic {
    #[new]
    #[pyo3(signature = (*, max_vms = 64, queue_length = 64))]
    fn new(max_vms: u32, queue_length: u16) -> Self {
        Self(Device::new(DeviceConfig { max_vms, queue_length, ..DeviceConfig::default() }))
    }

    fn submit(&mut self, messages: &[u8], now_ns: u64) {
        self.0.handle_messages(messages, Instant::from_nanos(now_ns));
    }

    fn take_messages<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut octets = Vec::new();
        self.0.poll_messages(&mut octets);
        PyBytes::new(py, &octets)
    }

    /// Frames from the air; nothing is heard on a channel that the radio does not stand on.
    #[pyo3(
        signature = (frames, now_ns, *, channel, signal_dbm = -50, rate = 540),
        text_signature = "($self, frames, now_ns, *, channel, signal_dbm=-50, rate=540)"
    )]
    fn hear(&mut self, frames: &Bound<'_, PyAny>, now_ns: u64, channel: u8, signal_dbm: i8, rate: u16) -> PyResult<()> {
        let mut batch = CoreBatch::new();
        for frame in frames.try_iter()? {
            batch.push(frame?.cast::<PyBytes>()?.as_bytes());
        }
        self.0.handle_air_frames(&batch, Reception { channel, rate, signal_dbm }, Instant::from_nanos(now_ns));
        Ok(())
    }

    fn acknowledges(&self, receiver: &[u8]) -> PyResult<bool> {
        Ok(self.0.acknowledges(mac_addr(receiver)?))
    }

    /// What it would send now: (channel, VM ID, frame), each reported as acknowledged or not. Without acknowledgement
    /// that is one frame for each call: it has to be sent again.
    #[pyo3(signature = (now_ns, *, acknowledged = true))]
    fn take_air_frames<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
        acknowledged: bool,
    ) -> Vec<(u8, Option<u16>, Bound<'py, PyBytes>)> {
        let now = Instant::from_nanos(now_ns);
        let mut sent = Vec::new();
        while let Some(burst) = self.0.poll_transmit(now) {
            let went_out = if acknowledged { burst.frames.len() } else { 1 };
            let frames = burst.frames.iter().zip(&burst.vms).take(went_out);
            sent.extend(frames.map(|(frame, vm)| (burst.channel, vm.map(VmId::to_u16), PyBytes::new(py, frame))));
            let done = if acknowledged { burst.frames.len() } else { 0 };
            self.0.handle_transmit_report(TransmitReport { burst, done }, now);
            if !acknowledged {
                break;
            }
        }
        sent
    }

    fn handle_timeout(&mut self, now_ns: u64) {
        self.0.handle_timeout(Instant::from_nanos(now_ns));
    }

    fn poll_timeout(&self) -> Option<u64> {
        self.0.poll_timeout().map(Instant::as_nanos)
    }

    #[getter]
    fn channel(&self) -> Option<u8> {
        self.0.channel()
    }

    /// By VM ID, None for frames that belong to no VM: drop reason or counter name to count.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        device_counters(py, &self.0)
    }
}

/// A device's counters by VM ID.
pub(crate) fn device_counters<'py>(py: Python<'py>, device: &Device) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (vm, counters) in device.counters() {
        all.set_item(vm.map(VmId::to_u16), counters_dict(py, counters)?)?;
    }
    Ok(all)
}

/// A row for Python, without keys.
pub(crate) fn row_dict<'py>(py: Python<'py>, row: &Row) -> PyResult<Bound<'py, PyDict>> {
    let snapshot = RowSnapshot::of(row);
    let (parameters, connection) = (snapshot.parameters, snapshot.connection);
    let dict = PyDict::new(py);
    dict.set_item("vm_id", snapshot.vm.to_u16())?;
    dict.set_item("vr_id", snapshot.vr.to_u16())?;
    dict.set_item("mac", PyBytes::new(py, &snapshot.address.octets()))?;
    dict.set_item("channel", parameters.channel)?;
    dict.set_item("rate", parameters.rate)?;
    dict.set_item("scan_filter", parameters.scan_filter)?;
    dict.set_item("forward_protected", parameters.forward_protected)?;
    dict.set_item("state", format!("{:?}", connection.state).to_lowercase())?;
    let bssid = (connection.bssid != MacAddr::ZERO).then(|| PyBytes::new(py, &connection.bssid.octets()));
    dict.set_item("bssid", bssid)?;
    dict.set_item("association_id", connection.association_id)?;
    dict.set_item("qos", connection.qos)?;
    dict.set_item("privacy", connection.privacy)?;
    dict.set_item("beacon_interval", connection.beacon_interval)?;
    dict.set_item("asleep", snapshot.is_asleep)?;
    dict.set_item("queued", snapshot.queued)?;
    dict.set_item("sequence_numbers", snapshot.sequence_numbers.to_vec())?;
    let keys: PyResult<Vec<Bound<'py, PyDict>>> = snapshot
        .keys
        .iter()
        .map(|key| {
            let dict = PyDict::new(py);
            dict.set_item("scope", format!("{:?}", key.scope).to_lowercase())?;
            dict.set_item("key_id", key.key_id.value())?;
            dict.set_item("cipher", key.cipher.0)?;
            dict.set_item("transmit", key.is_transmit)?;
            dict.set_item("transmitted", key.transmitted.value())?;
            dict.set_item("received", key.replay.values().map(PacketNumber::value).to_vec())?;
            Ok(dict)
        })
        .collect();
    dict.set_item("keys", keys?)?;
    dict.set_item("counters", counters_dict(py, row.counters())?)?;
    Ok(dict)
}

fn counters_dict<'py>(py: Python<'py>, counters: &Counters) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, count) in counters.iter() {
        dict.set_item(name, count)?;
    }
    Ok(dict)
}

/// As `Verdict` numbers them.
fn verdict_number(verdict: Result<(), DropReason>) -> u8 {
    verdict.map_or_else(|reason| reason as u8 + 1, |()| 0)
}

pub(crate) fn verdict_numbers(verdicts: impl IntoIterator<Item = Result<(), DropReason>>) -> Vec<u8> {
    verdicts.into_iter().map(verdict_number).collect()
}

fn vm_numbers(vms: &[Option<VmId>]) -> Vec<u16> {
    vms.iter().map(|vm| vm.map_or(NO_VM, VmId::to_u16)).collect()
}

fn vm_number(vm_id: i64) -> PyResult<u16> {
    u16::try_from(vm_id).ok().filter(|vm| *vm != NO_VM).ok_or_else(|| local("a VM ID is 0 to 65534"))
}

fn row_of(vm_id: i64) -> PyResult<VrId> {
    vm_number(vm_id).map(VrId::new)
}

fn key_identifier(key_id: i64) -> PyResult<KeyId> {
    u8::try_from(key_id).ok().and_then(KeyId::new).ok_or_else(|| local("a key identifier is 0 to 3"))
}

const fn scope(group: bool) -> KeyScope {
    if group { KeyScope::Group } else { KeyScope::Pairwise }
}

/// More threads than that are a mistake.
const MAX_WORKERS: usize = 1024;

/// Says in an array that there is no VM.
const NO_VM: u16 = u16::MAX;
