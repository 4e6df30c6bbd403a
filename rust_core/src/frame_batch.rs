//! Many frames in one buffer: the unit in which the data path works.

use core::ops::Range;

/// Frames one behind the other in `data`; frame `i` is `data[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug)]
pub struct FrameBatch {
    /// What lies behind the last frame is room from longer batches; to fill it with zeros whenever a batch grows again
    /// would cost a tenth of what it costs to open long frames.
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

    /// As [`from_parts`](Self::from_parts), with offsets that were checked before: only their end is looked at. Where the
    /// others are wrong after all, frames are empty.
    pub fn from_checked_parts(data: &'a [u8], offsets: &'a [u32]) -> Result<Self, InvalidOffsets> {
        let ends_at_length = offsets.last().map(|last| *last as usize) == Some(data.len());
        if ends_at_length { Ok(Self { data, offsets }) } else { Err(InvalidOffsets) }
    }

    /// The buffer in which they lie.
    pub const fn data(self) -> &'a [u8] {
        self.data
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

    /// Some of the frames; none where there are not so many.
    pub(crate) fn part(self, frames: Range<usize>) -> Self {
        Self { data: self.data, offsets: self.offsets.get(frames.start..=frames.end).unwrap_or_default() }
    }

    /// So many neighbouring parts, each about as much work as any other.
    pub(crate) fn divide(self, parts: usize) -> impl Iterator<Item = Range<usize>> {
        /// What any frame costs beside its octets, in octets: measured, CCMP for 64 and 1500 octets.
        const PER_FRAME: u64 = 512;
        let work = move |frames: usize| {
            let octets = self.offsets.get(frames).copied().unwrap_or_default();
            u64::from(octets) + PER_FRAME * frames as u64
        };
        let count = self.len();
        let mut start = 0;
        (1..=parts as u64).map(move |number| {
            let goal = work(count) * number / parts as u64;
            let (mut end, mut beyond) = (start, count);
            while end < beyond {
                let middle = usize::midpoint(end, beyond);
                if work(middle) < goal { end = middle + 1 } else { beyond = middle }
            }
            start..core::mem::replace(&mut start, end).max(end)
        })
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

impl PartialEq for FrameBatch {
    fn eq(&self, other: &Self) -> bool {
        self.frames() == other.frames()
    }
}

impl Eq for FrameBatch {}

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

    /// An empty batch in memory that is there already; what is in it does not matter.
    pub fn in_memory(data: Vec<u8>) -> Self {
        Self { data, offsets: vec![0] }
    }

    /// From a buffer and n + 1 offsets, checked once.
    pub fn from_parts(data: Vec<u8>, offsets: Vec<u32>) -> Result<Self, InvalidOffsets> {
        check_offsets(data.len(), &offsets)?;
        Ok(Self { data, offsets })
    }

    /// Appends a frame; false, and nothing is done, where the batch would pass 4 GiB.
    pub fn push(&mut self, frame: &[u8]) -> bool {
        let Ok(end) = u32::try_from(self.end().saturating_add(frame.len())) else { return false };
        self.data.truncate(self.end());
        self.data.extend_from_slice(frame);
        self.offsets.push(end);
        true
    }

    /// Appends the frame that `write` appends to the buffer; false, and nothing stays, where it says false or there is no
    /// room.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let start = self.end();
        self.data.truncate(start);
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
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
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
        Frames { data: self.data(), offsets: &self.offsets }
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
        self.data.get(..self.end()).unwrap_or_default()
    }

    /// Where the last frame ends.
    fn end(&self) -> usize {
        self.offsets.last().map_or(0, |end| *end as usize)
    }

    /// n + 1 offsets.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The buffer and the offsets.
    pub fn into_parts(mut self) -> (Vec<u8>, Vec<u32>) {
        self.data.truncate(self.end());
        (self.data, self.offsets)
    }

    /// The buffer with the room behind the last frame, and the offsets: for a new batch in the same memory. What is in
    /// that room may be what other frames once were.
    pub fn into_room(self) -> (Vec<u8>, Vec<u32>) {
        (self.data, self.offsets)
    }

    /// As [`from_parts`](Self::from_parts), from a buffer that may be longer than the frames.
    pub(crate) fn from_room(data: Vec<u8>, offsets: Vec<u32>) -> Result<Self, InvalidOffsets> {
        let length = offsets.last().map_or(0, |end| *end as usize).min(data.len());
        check_offsets(length, &offsets)?;
        Ok(Self { data, offsets })
    }
}

/// Makes a buffer at least that long; where it was once, nothing is filled.
pub(crate) fn make_room(data: &mut Vec<u8>, length: usize) {
    if data.capacity() < length {
        // Memory that comes zeroed from the system is not filled again.
        *data = vec![0; length];
    } else if data.len() < length {
        data.resize(length, 0);
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
            assert_eq!(check_offsets(batch.data().len(), &batch.offsets), Ok(()));
            batch.into_parts().0
        };
        assert_eq!(kept(&[true; 5]), b"onetwothreefour");
        assert_eq!(kept(&[false, true, true, false, true]), b"twofour");
        assert_eq!(kept(&[true, false]), b"one", "what is not said is not kept");
    }

    #[test]
    fn what_was_there_before_is_not_in_a_batch_in_the_same_memory() {
        let mut batch: FrameBatch = [&b"longer"[..], b"than this"].into_iter().collect();
        batch.keep([true, false]);
        assert!(batch.push(b"!"));
        assert_eq!(batch.data(), b"longer!");
        batch.clear();
        let write = |octets: &'static [u8], is_kept| {
            move |out: &mut Vec<u8>| {
                out.extend(octets);
                is_kept
            }
        };
        assert!(batch.push(b"one") && batch.push_with(write(b"two", true)));
        assert!(!batch.push_with(write(b"three", false)));
        assert_eq!(batch, [&b"one"[..], b"two"].into_iter().collect());
        let (mut data, offsets) = batch.into_room();
        make_room(&mut data, 4);
        let batch = FrameBatch::from_room(data, vec![0, 4]).unwrap();
        assert_eq!((batch.data(), offsets), (&b"onet"[..], vec![0, 3, 6]));
        assert_eq!(FrameBatch::from_room(vec![0; 3], vec![0, 4]), Err(InvalidOffsets));
    }

    #[test]
    fn parts_are_neighbours_of_about_as_much_work_and_leave_nothing_out() {
        for lengths in [vec![], vec![1500], vec![64; 9], [vec![1500; 10], vec![64; 30]].concat(), vec![0; 5]] {
            let frames: Vec<Vec<u8>> = lengths.iter().map(|length| vec![1; *length]).collect();
            let batch: FrameBatch = frames.iter().map(Vec::as_slice).collect();
            for count in 1..5 {
                let parts: Vec<Range<usize>> = batch.frames().divide(count).collect();
                assert_eq!(parts.len(), count);
                assert!(parts.iter().cloned().flatten().eq(0..lengths.len()), "{parts:?}");
                let same = parts.iter().flat_map(|part| batch.frames().part(part.clone()).iter());
                assert!(same.eq(batch.iter()));
            }
        }
        let mixed: FrameBatch =
            [[[1_u8; 1500].as_slice(); 8].as_slice(), &[[1; 500].as_slice(); 16]].concat().into_iter().collect();
        assert!(mixed.frames().divide(2).eq([0..9, 9..24]));
    }

    #[test]
    fn offsets_that_do_not_fit_are_refused() {
        for offsets in [vec![], vec![0], vec![1, 3], vec![0, 2, 1, 3], vec![0, 4]] {
            assert_eq!(FrameBatch::from_parts(b"abc".to_vec(), offsets), Err(InvalidOffsets));
        }
    }
}
