//! Buffers that are used again: no allocation per frame.

/// Empty buffers with room.
#[derive(Debug, Default)]
pub(crate) struct BufferPool(Vec<Vec<u8>>);

impl BufferPool {
    /// An empty buffer.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    /// Gives a buffer back; its contents are forgotten.
    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        if self.0.len() < LIMIT {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}

const LIMIT: usize = 1024;
