//! Many frames in one buffer: the unit in which the data path works.

/// Frames one behind the other in `data`; frame `i` is `data[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameBatch {
    data: Vec<u8>,
    offsets: Vec<u32>,
}

/// The frames of a batch, read where they lie: in a [`FrameBatch`], or in memory that somebody else owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames<'a> {
    data: &'a [u8],
    offsets: &'a [u32],
}

impl<'a> Frames<'a> {
    /// From a buffer and n + 1 offsets, checked once.
    pub fn from_parts(data: &'a [u8], offsets: &'a [u32]) -> Result<Self, InvalidOffsets> {
        check_offsets(data.len(), offsets)?;
        Ok(Self { data, offsets })
    }

    /// How many frames.
    pub const fn len(self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// True without frames.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Frame `index`.
    pub fn frame(self, index: usize) -> Option<&'a [u8]> {
        let start = *self.offsets.get(index)? as usize;
        let end = *self.offsets.get(index + 1)? as usize;
        self.data.get(start..end)
    }

    /// The frames in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        let Self { data, offsets } = self;
        offsets.windows(2).map(move |pair| match *pair {
            [start, end] => data.get(start as usize..end as usize).unwrap_or_default(),
            _ => &[],
        })
    }
}

/// The offsets do not start at 0, fall somewhere, or do not end at the data's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidOffsets;

impl Default for FrameBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self { data: Vec::new(), offsets: vec![0] }
    }

    /// From a buffer and n + 1 offsets, checked once.
    pub fn from_parts(data: Vec<u8>, offsets: Vec<u32>) -> Result<Self, InvalidOffsets> {
        check_offsets(data.len(), &offsets)?;
        Ok(Self { data, offsets })
    }

    /// Appends a frame; false, and nothing is done, where the batch would pass 4 GiB.
    pub fn push(&mut self, frame: &[u8]) -> bool {
        let Ok(end) = u32::try_from(self.data.len().saturating_add(frame.len())) else { return false };
        self.data.extend_from_slice(frame);
        self.offsets.push(end);
        true
    }

    /// Appends the frame that `write` appends to the buffer; false, and nothing stays, where it says false or there is no
    /// room.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let start = self.data.len();
        if let (true, Ok(end)) = (write(&mut self.data), u32::try_from(self.data.len())) {
            self.offsets.push(end);
            true
        } else {
            self.data.truncate(start);
            false
        }
    }

    /// Empties the frames for which `is_kept` does not say true, one after the other: the octets of the others close up.
    pub fn keep(&mut self, is_kept: impl IntoIterator<Item = bool>) {
        let (mut start, mut at) = (0, 0);
        let is_kept = is_kept.into_iter().chain(core::iter::repeat(false));
        for (end, is_kept) in self.offsets.iter_mut().skip(1).zip(is_kept) {
            let frame = start..*end as usize;
            start = frame.end;
            if is_kept {
                let length = frame.len();
                if frame.start != at {
                    self.data.copy_within(frame, at);
                }
                at += length;
            }
            // Never more than the end that stood here.
            *end = u32::try_from(at).unwrap_or(*end);
        }
        self.data.truncate(at);
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.data.clear();
        self.offsets.truncate(1);
    }

    /// How many frames.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True without frames.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frames, to be read.
    pub fn frames(&self) -> Frames<'_> {
        Frames { data: &self.data, offsets: &self.offsets }
    }

    /// Frame `index`.
    pub fn frame(&self, index: usize) -> Option<&[u8]> {
        self.frames().frame(index)
    }

    /// Frame `index`, to be changed in place.
    pub fn frame_mut(&mut self, index: usize) -> Option<&mut [u8]> {
        let start = *self.offsets.get(index)? as usize;
        let end = *self.offsets.get(index + 1)? as usize;
        self.data.get_mut(start..end)
    }

    /// The frames in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.frames().iter()
    }

    /// All octets.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// n + 1 offsets.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The buffer and the offsets.
    pub fn into_parts(self) -> (Vec<u8>, Vec<u32>) {
        (self.data, self.offsets)
    }
}

/// Do these offsets divide a buffer of that length into frames?
pub fn check_offsets(length: usize, offsets: &[u32]) -> Result<(), InvalidOffsets> {
    let starts_at_zero = offsets.first() == Some(&0);
    let ends_at_length = offsets.last().map(|last| *last as usize) == Some(length);
    if starts_at_zero && ends_at_length && offsets.is_sorted() { Ok(()) } else { Err(InvalidOffsets) }
}

impl<'a> FromIterator<&'a [u8]> for FrameBatch {
    fn from_iter<T: IntoIterator<Item = &'a [u8]>>(frames: T) -> Self {
        let mut batch = Self::new();
        for frame in frames {
            batch.push(frame);
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_were_pushed() {
        let frames: [&[u8]; 3] = [b"one", b"", b"three"];
        let batch: FrameBatch = frames.into_iter().collect();
        assert_eq!(batch.len(), 3);
        assert!(batch.iter().eq(frames));
        let (data, offsets) = batch.clone().into_parts();
        assert_eq!(FrameBatch::from_parts(data, offsets), Ok(batch));
    }

    #[test]
    fn frames_that_are_not_kept_are_empty_and_leave_no_octet() {
        let batch: FrameBatch = [&b"one"[..], b"two", b"", b"three", b"four"].into_iter().collect();
        let kept = |is_kept: &[bool]| {
            let mut batch = batch.clone();
            batch.keep(is_kept.iter().copied());
            assert_eq!(check_offsets(batch.data.len(), &batch.offsets), Ok(()));
            batch.data
        };
        assert_eq!(kept(&[true; 5]), b"onetwothreefour");
        assert_eq!(kept(&[false, true, true, false, true]), b"twofour");
        assert_eq!(kept(&[true, false]), b"one", "what is not said is not kept");
    }

    #[test]
    fn offsets_that_do_not_fit_are_refused() {
        for offsets in [vec![], vec![0], vec![1, 3], vec![0, 2, 1, 3], vec![0, 4]] {
            assert_eq!(FrameBatch::from_parts(b"abc".to_vec(), offsets), Err(InvalidOffsets));
        }
    }
}
