//! 802.11 frames for Python.

use polyradio_core::ids::{MacAddr, Tid};
use polyradio_core::wire::element::{Elements, emit_element};
use polyradio_core::wire::frame_control::{FrameControl, FrameType};
use polyradio_core::wire::{ParseError, data, eapol_key, mac_header, management, rsn_element};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{local, remote};

/// A MAC address from six octets.
pub(crate) fn mac_addr(octets: &[u8]) -> PyResult<MacAddr> {
    let octets: [u8; 6] =
        octets.try_into().map_err(|_| local(format!("a MAC address has 6 octets, not {}", octets.len())))?;
    Ok(MacAddr(octets))
}

fn fixed<const N: usize>(octets: &[u8], what: &str) -> PyResult<[u8; N]> {
    octets.try_into().map_err(|_| local(format!("{what} has {N} octets, not {}", octets.len())))
}

#[pyclass(frozen, module = "polyradio._core")]
struct MacHeader(mac_header::MacHeader);

#[pymethods]
impl MacHeader {
    #[staticmethod]
    fn parse(frame: &[u8]) -> PyResult<Self> {
        mac_header::MacHeader::parse(frame).map(Self).map_err(remote)
    }

    #[getter]
    fn frame_control(&self) -> u16 {
        self.control().0
    }

    #[getter]
    fn version(&self) -> u8 {
        self.control().version()
    }

    #[getter]
    fn frame_type(&self) -> u8 {
        match self.control().frame_type() {
            FrameType::Management => 0,
            FrameType::Control => 1,
            FrameType::Data => 2,
            FrameType::Extension => 3,
        }
    }

    #[getter]
    fn subtype(&self) -> u8 {
        self.control().subtype()
    }

    #[getter]
    fn to_ds(&self) -> bool {
        self.control().to_ds()
    }

    #[getter]
    #[expect(clippy::wrong_self_convention, reason = "From DS is the bit's name")]
    fn from_ds(&self) -> bool {
        self.control().from_ds()
    }

    #[getter]
    fn more_fragments(&self) -> bool {
        self.control().more_fragments()
    }

    #[getter]
    fn retry(&self) -> bool {
        self.control().retry()
    }

    #[getter]
    fn power_management(&self) -> bool {
        self.control().power_management()
    }

    #[getter]
    fn more_data(&self) -> bool {
        self.control().more_data()
    }

    #[getter]
    fn protected(&self) -> bool {
        self.control().protected()
    }

    #[getter]
    fn order(&self) -> bool {
        self.control().order()
    }

    #[getter]
    fn duration(&self) -> u16 {
        self.0.duration
    }

    #[getter]
    fn addr1<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        address(py, self.0.addr1)
    }

    #[getter]
    fn addr2<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.addr2.map(|each| address(py, each))
    }

    #[getter]
    fn addr3<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.addr3.map(|each| address(py, each))
    }

    #[getter]
    fn addr4<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.addr4.map(|each| address(py, each))
    }

    #[getter]
    fn sequence_number(&self) -> Option<u16> {
        self.0.sequence.map(|each| each.number)
    }

    #[getter]
    fn fragment_number(&self) -> Option<u8> {
        self.0.sequence.map(|each| each.fragment)
    }

    #[getter]
    fn qos_control(&self) -> Option<u16> {
        self.0.qos.map(|each| each.0)
    }

    #[getter]
    fn ht_control(&self) -> Option<u32> {
        self.0.ht_control
    }

    #[getter]
    fn tid(&self) -> Option<u8> {
        self.0.qos.map(|each| each.tid().value())
    }

    #[getter]
    fn destination<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.destination().map(|each| address(py, each))
    }

    #[getter]
    fn source<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.source().map(|each| address(py, each))
    }

    #[getter]
    fn bssid<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.bssid().map(|each| address(py, each))
    }

    #[getter]
    fn length(&self) -> usize {
        self.0.length()
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

impl MacHeader {
    fn control(&self) -> FrameControl {
        self.0.frame_control
    }
}

fn address(py: Python<'_>, address: MacAddr) -> Bound<'_, PyBytes> {
    PyBytes::new(py, &address.octets())
}

type ElementList = Vec<(u8, Vec<u8>)>;

fn element_list(py: Python<'_>, elements: &ElementList) -> Vec<(u8, Py<PyBytes>)> {
    elements.iter().map(|(id, data)| (*id, PyBytes::new(py, data).unbind())).collect()
}

/// A number of fewer bits than its type has.
fn limited<N: Copy + PartialOrd + core::fmt::Display>(value: N, most: N, what: &str) -> PyResult<N> {
    if value > most { Err(local(format!("{what} is 0 to {most}, not {value}"))) } else { Ok(value) }
}

const MOST_SUBTYPE: u8 = 15;
const MOST_SEQUENCE_NUMBER: u16 = 4095;

fn checked_elements(elements: ElementList) -> PyResult<ElementList> {
    match elements.iter().find(|(_, data)| data.len() > 255) {
        Some((id, data)) => Err(local(format!("element {id} has {} octets; 255 is the most", data.len()))),
        None => Ok(elements),
    }
}

macro_rules! plain_fields {
    ($class:ident { $($field:ident: $kind:ty, $set:ident;)* }) => {
        #[pymethods]
        impl $class {
            $(
                #[getter]
                fn $field(&self) -> $kind {
                    self.0.$field
                }

                #[setter]
                fn $set(&mut self, value: $kind) {
                    self.0.$field = value;
                }
            )*
        }
    };
}

#[pyclass(module = "polyradio._core")]
struct Management(management::Management);

plain_fields!(Management {
    timestamp: u64, set_timestamp;
    beacon_interval: u16, set_beacon_interval;
    capability: u16, set_capability;
    listen_interval: u16, set_listen_interval;
    status: u16, set_status;
    association_id: u16, set_association_id;
    algorithm: u16, set_algorithm;
    transaction: u16, set_transaction;
    reason: u16, set_reason;
});

#[pymethods]
impl Management {
    #[new]
    #[pyo3(signature = (subtype, destination, source, bssid, *, timestamp=0, beacon_interval=0, capability=0,
        listen_interval=0, current_ap=&[0; 6][..], status=0, association_id=0, algorithm=0, transaction=0, reason=0,
        elements=vec![], rest=vec![]))]
    #[expect(clippy::too_many_arguments, reason = "one keyword for each field, as the standard lists them")]
    fn new(
        subtype: u8,
        destination: &[u8],
        source: &[u8],
        bssid: &[u8],
        timestamp: u64,
        beacon_interval: u16,
        capability: u16,
        listen_interval: u16,
        current_ap: &[u8],
        status: u16,
        association_id: u16,
        algorithm: u16,
        transaction: u16,
        reason: u16,
        elements: ElementList,
        rest: Vec<u8>,
    ) -> PyResult<Self> {
        Ok(Self(management::Management {
            subtype: limited(subtype, MOST_SUBTYPE, "a subtype")?,
            destination: mac_addr(destination)?,
            source: mac_addr(source)?,
            bssid: mac_addr(bssid)?,
            sequence_number: 0,
            timestamp,
            beacon_interval,
            capability,
            listen_interval,
            current_ap: mac_addr(current_ap)?,
            status,
            association_id,
            algorithm,
            transaction,
            reason,
            elements: checked_elements(elements)?,
            rest,
        }))
    }

    #[staticmethod]
    fn parse(frame: &[u8]) -> PyResult<Self> {
        management::Management::parse(frame).map(Self).map_err(remote)
    }

    fn emit<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut out = Vec::new();
        self.0.emit(&mut out);
        PyBytes::new(py, &out)
    }

    fn element<'py>(&self, py: Python<'py>, element_id: u8) -> Option<Bound<'py, PyBytes>> {
        self.0.element(element_id).map(|data| PyBytes::new(py, data))
    }

    #[getter]
    fn subtype(&self) -> u8 {
        self.0.subtype
    }

    #[setter]
    fn set_subtype(&mut self, value: u8) -> PyResult<()> {
        self.0.subtype = limited(value, MOST_SUBTYPE, "a subtype")?;
        Ok(())
    }

    #[getter]
    fn sequence_number(&self) -> u16 {
        self.0.sequence_number
    }

    #[setter]
    fn set_sequence_number(&mut self, value: u16) -> PyResult<()> {
        self.0.sequence_number = limited(value, MOST_SEQUENCE_NUMBER, "a sequence number")?;
        Ok(())
    }

    #[getter]
    fn destination<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        address(py, self.0.destination)
    }

    #[setter]
    fn set_destination(&mut self, value: &[u8]) -> PyResult<()> {
        self.0.destination = mac_addr(value)?;
        Ok(())
    }

    #[getter]
    fn source<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        address(py, self.0.source)
    }

    #[setter]
    fn set_source(&mut self, value: &[u8]) -> PyResult<()> {
        self.0.source = mac_addr(value)?;
        Ok(())
    }

    #[getter]
    fn bssid<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        address(py, self.0.bssid)
    }

    #[setter]
    fn set_bssid(&mut self, value: &[u8]) -> PyResult<()> {
        self.0.bssid = mac_addr(value)?;
        Ok(())
    }

    #[getter]
    fn current_ap<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        address(py, self.0.current_ap)
    }

    #[setter]
    fn set_current_ap(&mut self, value: &[u8]) -> PyResult<()> {
        self.0.current_ap = mac_addr(value)?;
        Ok(())
    }

    #[getter]
    fn elements(&self, py: Python<'_>) -> Vec<(u8, Py<PyBytes>)> {
        element_list(py, &self.0.elements)
    }

    #[setter]
    fn set_elements(&mut self, value: ElementList) -> PyResult<()> {
        self.0.elements = checked_elements(value)?;
        Ok(())
    }

    #[getter]
    fn rest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.rest)
    }

    #[setter]
    fn set_rest(&mut self, value: Vec<u8>) {
        self.0.rest = value;
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[pyclass(module = "polyradio._core", get_all, set_all)]
struct RsnElement {
    version: u16,
    group_cipher: u32,
    pairwise_ciphers: Vec<u32>,
    akm_suites: Vec<u32>,
    capabilities: u16,
    pmkids: Vec<Py<PyBytes>>,
    group_management_cipher: Option<u32>,
}

#[pymethods]
impl RsnElement {
    #[new]
    #[pyo3(signature = (*, group_cipher=rsn_element::CCMP_128, pairwise_ciphers=vec![rsn_element::CCMP_128],
        akm_suites=vec![rsn_element::AKM_PSK], capabilities=0, pmkids=vec![], group_management_cipher=None))]
    fn new(
        group_cipher: u32,
        pairwise_ciphers: Vec<u32>,
        akm_suites: Vec<u32>,
        capabilities: u16,
        pmkids: Vec<Py<PyBytes>>,
        group_management_cipher: Option<u32>,
    ) -> Self {
        Self { version: 1, group_cipher, pairwise_ciphers, akm_suites, capabilities, pmkids, group_management_cipher }
    }

    #[staticmethod]
    fn parse(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        let element = rsn_element::RsnElement::parse(data).map_err(remote)?;
        Ok(Self {
            version: element.version,
            group_cipher: element.group_cipher,
            pairwise_ciphers: element.pairwise_ciphers,
            akm_suites: element.akm_suites,
            capabilities: element.capabilities,
            pmkids: element.pmkids.iter().map(|pmkid| PyBytes::new(py, pmkid).unbind()).collect(),
            group_management_cipher: element.group_management_cipher,
        })
    }

    fn emit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let pmkids: PyResult<Vec<[u8; 16]>> =
            self.pmkids.iter().map(|pmkid| fixed(pmkid.bind(py).as_bytes(), "a PMKID")).collect();
        let element = rsn_element::RsnElement {
            version: self.version,
            group_cipher: self.group_cipher,
            pairwise_ciphers: self.pairwise_ciphers.clone(),
            akm_suites: self.akm_suites.clone(),
            capabilities: self.capabilities,
            pmkids: pmkids?,
            group_management_cipher: self.group_management_cipher,
        };
        let mut out = Vec::new();
        element.emit(&mut out);
        Ok(PyBytes::new(py, &out))
    }
}

#[pyclass(module = "polyradio._core")]
struct EapolKey(eapol_key::EapolKey);

plain_fields!(EapolKey {
    protocol_version: u8, set_protocol_version;
    descriptor_type: u8, set_descriptor_type;
    key_information: u16, set_key_information;
    key_length: u16, set_key_length;
    replay_counter: u64, set_replay_counter;
});

#[pymethods]
impl EapolKey {
    #[new]
    #[pyo3(signature = (*, key_information, replay_counter, protocol_version=2, descriptor_type=2, key_length=0,
        nonce=&[0; 32][..], iv=&[0; 16][..], rsc=&[0; 8][..], mic=vec![0; 16], key_data=vec![]))]
    #[expect(clippy::too_many_arguments, reason = "one keyword for each field, as the standard lists them")]
    fn new(
        key_information: u16,
        replay_counter: u64,
        protocol_version: u8,
        descriptor_type: u8,
        key_length: u16,
        nonce: &[u8],
        iv: &[u8],
        rsc: &[u8],
        mic: Vec<u8>,
        key_data: Vec<u8>,
    ) -> PyResult<Self> {
        Ok(Self(eapol_key::EapolKey {
            protocol_version,
            descriptor_type,
            key_information,
            key_length,
            replay_counter,
            nonce: fixed(nonce, "a nonce")?,
            iv: fixed(iv, "an EAPOL-Key IV")?,
            rsc: fixed(rsc, "a Key RSC")?,
            mic,
            key_data,
        }))
    }

    #[staticmethod]
    #[pyo3(signature = (pdu, mic_length=16))]
    fn parse(pdu: &[u8], mic_length: usize) -> PyResult<Self> {
        eapol_key::EapolKey::parse(pdu, mic_length).map(Self).map_err(remote)
    }

    fn emit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        if !self.0.emit(&mut out) {
            return Err(local(format!("{} octets of key data do not fit an EAPOL frame", self.0.key_data.len())));
        }
        Ok(PyBytes::new(py, &out))
    }

    #[getter]
    fn nonce<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.nonce)
    }

    #[setter]
    fn set_nonce(&mut self, value: &[u8]) -> PyResult<()> {
        self.0.nonce = fixed(value, "a nonce")?;
        Ok(())
    }

    #[getter]
    fn iv<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.iv)
    }

    #[setter]
    fn set_iv(&mut self, value: &[u8]) -> PyResult<()> {
        self.0.iv = fixed(value, "an EAPOL-Key IV")?;
        Ok(())
    }

    #[getter]
    fn rsc<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.rsc)
    }

    #[setter]
    fn set_rsc(&mut self, value: &[u8]) -> PyResult<()> {
        self.0.rsc = fixed(value, "a Key RSC")?;
        Ok(())
    }

    #[getter]
    fn mic<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.mic)
    }

    #[setter]
    fn set_mic(&mut self, value: Vec<u8>) {
        self.0.mic = value;
    }

    #[getter]
    fn key_data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.key_data)
    }

    #[setter]
    fn set_key_data(&mut self, value: Vec<u8>) {
        self.0.key_data = value;
    }

    #[getter]
    fn descriptor_version(&self) -> u16 {
        self.0.key_information & eapol_key::key_information::DESCRIPTOR_VERSION
    }

    #[getter]
    fn is_pairwise(&self) -> bool {
        self.0.has(eapol_key::key_information::PAIRWISE)
    }

    #[getter]
    fn has_install(&self) -> bool {
        self.0.has(eapol_key::key_information::INSTALL)
    }

    #[getter]
    fn has_ack(&self) -> bool {
        self.0.has(eapol_key::key_information::ACK)
    }

    #[getter]
    fn has_mic(&self) -> bool {
        self.0.has(eapol_key::key_information::MIC)
    }

    #[getter]
    fn is_secure(&self) -> bool {
        self.0.has(eapol_key::key_information::SECURE)
    }

    #[getter]
    fn has_error(&self) -> bool {
        self.0.has(eapol_key::key_information::ERROR)
    }

    #[getter]
    fn is_request(&self) -> bool {
        self.0.has(eapol_key::key_information::REQUEST)
    }

    #[getter]
    fn has_encrypted_key_data(&self) -> bool {
        self.0.has(eapol_key::key_information::ENCRYPTED_KEY_DATA)
    }

    #[getter]
    fn is_smk_message(&self) -> bool {
        self.0.has(eapol_key::key_information::SMK_MESSAGE)
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[pyfunction]
fn parse_elements(py: Python<'_>, data: &[u8]) -> PyResult<Vec<(u8, Py<PyBytes>)>> {
    let elements: Result<ElementList, ParseError> =
        Elements::new(data).map(|element| element.map(|element| (element.id, element.data.to_vec()))).collect();
    elements.map(|elements| element_list(py, &elements)).map_err(remote)
}

#[pyfunction]
fn emit_elements(py: Python<'_>, elements: ElementList) -> PyResult<Bound<'_, PyBytes>> {
    let mut out = Vec::new();
    for (id, data) in checked_elements(elements)? {
        emit_element(id, &data, &mut out);
    }
    Ok(PyBytes::new(py, &out))
}

#[pyfunction]
#[pyo3(signature = (ethernet, *, bssid, to_ds, tid=None))]
fn frame_from_ethernet<'py>(
    py: Python<'py>,
    ethernet: &[u8],
    bssid: &[u8],
    to_ds: bool,
    tid: Option<u8>,
) -> PyResult<Bound<'py, PyBytes>> {
    let tid = tid.map(|value| limited(value, 15, "a traffic identifier")).transpose()?;
    let mut out = Vec::new();
    data::emit_data_frame(ethernet, mac_addr(bssid)?, to_ds, tid.map(Tid::from_low_bits), &mut out).map_err(remote)?;
    Ok(PyBytes::new(py, &out))
}

#[pyfunction]
fn ethernet_from_frame(py: Python<'_>, frame: &[u8]) -> PyResult<Vec<Py<PyBytes>>> {
    let mut frames = Vec::new();
    data::ethernet_frames(frame, &mut Vec::new(), |ethernet| frames.push(PyBytes::new(py, ethernet).unbind()))
        .map_err(|error| crate::error::RemoteProtocolError::new_err(error.to_string()))?;
    Ok(frames)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<MacHeader>()?;
    module.add_class::<Management>()?;
    module.add_class::<RsnElement>()?;
    module.add_class::<EapolKey>()?;
    module.add_function(wrap_pyfunction!(parse_elements, module)?)?;
    module.add_function(wrap_pyfunction!(emit_elements, module)?)?;
    module.add_function(wrap_pyfunction!(frame_from_ethernet, module)?)?;
    module.add_function(wrap_pyfunction!(ethernet_from_frame, module)?)
}
