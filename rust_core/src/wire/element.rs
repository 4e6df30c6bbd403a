//! Elements of management frames (IEEE 802.11-2020 9.4.2): identifier, length, data.

use super::ParseError;

/// Element identifiers (Table 9-92).
#[expect(missing_docs, reason = "the names are the standard's")]
pub mod element_id {
    pub const SSID: u8 = 0;
    pub const SUPPORTED_RATES: u8 = 1;
    pub const DS_PARAMETER_SET: u8 = 3;
    pub const TIM: u8 = 5;
    pub const RSN: u8 = 48;
    pub const FRAGMENT: u8 = 242;
    pub const VENDOR_SPECIFIC: u8 = 221;
    pub const EXTENSION: u8 = 255;
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Identifier.
    pub id: u8,
    /// What follows its length; the extension identifier is part of it.
    pub data: &'a [u8],
}

/// The elements of a frame body, one after the other; ends after the first one that is cut off.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Elements<'a> {
    /// The elements in `octets`.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let at = self.at;
        if let [id, length, data @ ..] = rest
            && let Some(data) = data.get(..usize::from(*length))
        {
            self.at += 2 + data.len();
            return Some(Ok(Element { id: *id, data }));
        }
        let needed = 2 + rest.get(1).map_or(0, |length| usize::from(*length));
        self.octets = self.octets.get(..at).unwrap_or_default();
        Some(Err(ParseError::Truncated { what: "element", needed, had: rest.len(), at }))
    }
}

/// Appends an element; false, and nothing is done, where its data has more than 255 octets.
pub fn emit_element(id: u8, data: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(length) = u8::try_from(data.len()) else { return false };
    out.extend_from_slice(&[id, length]);
    out.extend_from_slice(data);
    true
}

/// Puts a fragmented element together (9.4.2.1, 10.28.11): the first element's data and that of the Fragment elements
/// which follow it. `elements` starts with the first element. An element of fewer than 255 octets is the last.
///
/// The extension identifier of an element 255 is not part of the result.
pub fn defragment(elements: &[u8]) -> Result<Vec<u8>, ParseError> {
    let mut whole = Vec::new();
    for (index, element) in Elements::new(elements).enumerate() {
        let element = element?;
        let data = match (index, element.id) {
            (0, element_id::EXTENSION) => element.data.get(1..).unwrap_or_default(),
            (0, _) | (_, element_id::FRAGMENT) => element.data,
            _ => break,
        };
        whole.extend_from_slice(data);
        if element.data.len() < 255 {
            break;
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_one_after_the_other() {
        let octets = [0, 2, b'a', b'b', 3, 1, 6];
        let elements: Result<Vec<_>, _> = Elements::new(&octets).collect();
        assert_eq!(elements, Ok(vec![Element { id: 0, data: b"ab" }, Element { id: 3, data: &[6] }]));
    }

    #[test]
    fn an_element_that_is_cut_off_is_named_once() {
        let mut elements = Elements::new(&[0, 0, 3, 2, 6]);
        assert!(elements.next().is_some_and(|element| element.is_ok()));
        let error = ParseError::Truncated { what: "element", needed: 4, had: 3, at: 2 };
        assert_eq!(elements.next(), Some(Err(error)));
        assert_eq!(elements.next(), None);
    }

    #[test]
    fn data_of_more_than_255_octets_is_no_element() {
        let mut out = Vec::new();
        assert!(!emit_element(1, &[0; 256], &mut out) && out.is_empty());
    }
}
