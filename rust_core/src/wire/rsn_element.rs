//! The RSN element (IEEE 802.11-2020 9.4.2.24).
//!
//! Every field after the version may be missing at the end; what is missing has its default: CCMP-128 and 802.1X.

use super::ParseError;

/// A suite selector: organisation and type, such as `0x000F_AC04` for CCMP-128.
pub type SuiteSelector = u32;

/// CCMP-128 (Table 9-149).
pub const CCMP_128: SuiteSelector = 0x000f_ac04;
/// Pre-shared key (Table 9-151).
pub const AKM_PSK: SuiteSelector = 0x000f_ac02;

/// An RSN element's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsnElement {
    /// 1.
    pub version: u16,
    /// Group data cipher suite.
    pub group_cipher: SuiteSelector,
    /// Pairwise cipher suites.
    pub pairwise_ciphers: Vec<SuiteSelector>,
    /// Authentication and key management suites.
    pub akm_suites: Vec<SuiteSelector>,
    /// RSN Capabilities.
    pub capabilities: u16,
    /// PMK identifiers.
    pub pmkids: Vec<[u8; 16]>,
    /// Group management cipher suite.
    pub group_management_cipher: Option<SuiteSelector>,
}

impl Default for RsnElement {
    fn default() -> Self {
        Self {
            version: 1,
            group_cipher: CCMP_128,
            pairwise_ciphers: vec![CCMP_128],
            akm_suites: vec![AKM_PSK],
            capabilities: 0,
            pmkids: Vec::new(),
            group_management_cipher: None,
        }
    }
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// `None` at the end of the data; an error in the midst of a field.
    fn take<const N: usize>(&mut self, what: &'static str) -> Result<Option<[u8; N]>, ParseError> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let Some(taken) = rest.first_chunk::<N>() else {
            return Err(ParseError::Truncated { what, needed: N, had: rest.len(), at: self.at });
        };
        self.at += N;
        Ok(Some(*taken))
    }

    fn list<const N: usize>(&mut self, what: &'static str) -> Result<Option<Vec<[u8; N]>>, ParseError> {
        let Some(count) = self.take::<2>(what)? else { return Ok(None) };
        let count = usize::from(u16::from_le_bytes(count));
        let rest = self.data.get(self.at..).unwrap_or_default();
        let Some(octets) = rest.get(..count * N) else {
            return Err(ParseError::Truncated { what, needed: count * N, had: rest.len(), at: self.at });
        };
        self.at += count * N;
        Ok(Some(octets.as_chunks::<N>().0.to_vec()))
    }
}

fn suites(octets: Vec<[u8; 4]>) -> Vec<SuiteSelector> {
    octets.into_iter().map(u32::from_be_bytes).collect()
}

impl RsnElement {
    /// Reads an element's data (what follows identifier and length).
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader { data, at: 0 };
        let Some(version) = reader.take::<2>("RSN version")? else {
            return Err(ParseError::Truncated { what: "RSN version", needed: 2, had: 0, at: 0 });
        };
        let mut element = Self { version: u16::from_le_bytes(version), ..Self::default() };
        if let Some(suite) = reader.take("group data cipher suite")? {
            element.group_cipher = u32::from_be_bytes(suite);
        }
        if let Some(list) = reader.list("pairwise cipher suites")? {
            element.pairwise_ciphers = suites(list);
        }
        match reader.list("AKM suites")? {
            Some(list) => element.akm_suites = suites(list),
            None => element.akm_suites = vec![0x000f_ac01],
        }
        if let Some(capabilities) = reader.take("RSN capabilities")? {
            element.capabilities = u16::from_le_bytes(capabilities);
        }
        if let Some(list) = reader.list("PMKIDs")? {
            element.pmkids = list;
        }
        element.group_management_cipher = reader.take("group management cipher suite")?.map(u32::from_be_bytes);
        Ok(element)
    }

    /// Appends the element's data.
    ///
    /// The RSN capabilities and all before them are always there; PMKIDs and the group management cipher where given.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.group_cipher.to_be_bytes());
        for list in [&self.pairwise_ciphers, &self.akm_suites] {
            emit_count(list.len(), out);
            out.extend(list.iter().flat_map(|suite| suite.to_be_bytes()));
        }
        out.extend_from_slice(&self.capabilities.to_le_bytes());
        if !self.pmkids.is_empty() || self.group_management_cipher.is_some() {
            emit_count(self.pmkids.len(), out);
            out.extend(self.pmkids.iter().flatten());
        }
        if let Some(suite) = self.group_management_cipher {
            out.extend_from_slice(&suite.to_be_bytes());
        }
    }
}

fn emit_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WPA2-PSK with CCMP, as most access points say it.
    const USUAL: [u8; 20] = [1, 0, 0, 0x0f, 0xac, 4, 1, 0, 0, 0x0f, 0xac, 4, 1, 0, 0, 0x0f, 0xac, 2, 0, 0];

    #[test]
    fn deconstruct_and_construct() {
        assert_eq!(RsnElement::parse(&USUAL), Ok(RsnElement::default()));
        let mut out = Vec::new();
        RsnElement::default().emit(&mut out);
        assert_eq!(out, USUAL);
    }

    #[test]
    fn pmkids_and_the_group_management_cipher_survive() {
        let element = RsnElement {
            pmkids: vec![[7; 16], [8; 16]],
            group_management_cipher: Some(0x000f_ac06),
            capabilities: 0x00c0,
            ..RsnElement::default()
        };
        let mut out = Vec::new();
        element.emit(&mut out);
        assert_eq!(RsnElement::parse(&out), Ok(element));
    }

    #[test]
    fn fields_may_be_missing_at_the_end_but_not_be_cut() {
        for end in 0..USUAL.len() {
            let whole = matches!(end, 2 | 6 | 12 | 18);
            assert_eq!(RsnElement::parse(&USUAL[..end]).is_ok(), whole, "{end}");
        }
        assert!(RsnElement::parse(&[1, 0, 0, 0x0f, 0xac, 4, 0xff, 0xff, 0]).is_err());
    }
}
