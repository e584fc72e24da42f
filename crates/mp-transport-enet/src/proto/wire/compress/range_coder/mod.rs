//! ENet's own compressor: an adaptive range coder with contexts of up to two bytes. Its state is
//! reset for each datagram.
//!
//! The model is a set of nodes. A node is a symbol in the tree of its context, and the context of
//! the symbols that follow it. A byte is first looked up in the longest context. If it is not
//! there, an escape code leads to the next shorter one. The root contains all bytes. A block has no
//! end mark: all bits after the last byte are zero, and zeros are the escape codes of all contexts
//! and of the root.
//!
//! (Source of the constants and of the order of updates: ENet 1.3, `compress.c`, compared with
//! recorded datagrams.)

mod coding;

use coding::{BOTTOM, Decoder, Encoder};

/// Compressor and decompressor. Its memory is allocated once.
#[derive(Debug)]
pub(crate) struct RangeCoder {
    nodes: Box<[Node; NODES_MAX]>,
    used: u16,
    /// The context of the next byte.
    predicted: u16,
    order: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// As a symbol: the byte, its count, the sum of counts in its left subtree and itself, and its
    /// children.
    value: u8,
    count: u8,
    under: u16,
    left: u16,
    right: u16,
    /// As a context: the tree of its symbols, their frequencies, and the next shorter context.
    symbols: u16,
    escapes: u16,
    total: u16,
    parent: u16,
}

/// A symbol that was found or created.
#[derive(Clone, Copy)]
struct Found {
    node: u16,
    /// Sum of the frequencies of smaller symbols before the update.
    under: u32,
    /// Frequency of the symbol before the update.
    count: u32,
}

/// The increment of a symbol's frequency, and the frequency of unseen symbols of a context.
#[derive(Clone, Copy)]
struct Step {
    delta: u8,
    minimum: u32,
}

/// The node whose shorter context is the next node found.
#[derive(Clone, Copy)]
enum Link {
    Predicted,
    Parent(u16),
}

impl Default for RangeCoder {
    fn default() -> Self {
        let nodes = Box::new([Node::default(); NODES_MAX]);
        Self { nodes, used: 0, predicted: ROOT, order: 0 }
    }
}

impl RangeCoder {
    /// Compresses `input` into `out`. Returns the length, or `None` if the output does not fit.
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        self.reset();
        let mut encoder = Encoder::new(out);
        for &value in input {
            self.encode(value, &mut encoder)?;
            self.next();
        }
        encoder.finish()
    }

    /// Decompresses `input` into `out`. Returns the length, or `None` if the input is malformed or
    /// the output does not fit.
    pub(crate) fn expand(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        self.reset();
        let mut decoder = Decoder::new(input);
        let mut len = 0;
        while let Some(value) = self.decode(&mut decoder)? {
            *out.get_mut(len)? = value;
            len += 1;
            self.next();
        }
        Some(len)
    }

    fn encode(&mut self, value: u8, encoder: &mut Encoder<'_>) -> Option<()> {
        let (mut context, mut link) = (self.predicted, Link::Predicted);
        while context != ROOT {
            let shorter = self.node(context).parent;
            let found = self.bump(context, value, SUBCONTEXT);
            link = self.link(link, found.node);
            let Node { escapes, total, .. } = *self.node(context);
            if found.count > 0 {
                encoder.put(u32::from(escapes) + found.under, found.count, total)?;
            } else if escapes > 0 && escapes < total {
                encoder.put(0, escapes.into(), total)?;
            }
            self.seen(context, found.count, SUBCONTEXT);
            if found.count > 0 {
                return Some(());
            }
            context = shorter;
        }
        let found = self.bump(ROOT, value, ROOT_STEP);
        self.link(link, found.node);
        let Node { escapes, total, .. } = *self.node(ROOT);
        encoder.put(u32::from(escapes) + found.under, found.count, total)?;
        self.seen(ROOT, found.count, ROOT_STEP);
        Some(())
    }

    /// Returns the next byte. `Some(None)` at the end of the data, `None` if the input is
    /// malformed.
    fn decode(&mut self, decoder: &mut Decoder<'_>) -> Option<Option<u8>> {
        let mut context = self.predicted;
        let (value, bottom) = loop {
            let Node { escapes, total, parent, .. } = *self.node(context);
            if context != ROOT && (escapes == 0 || escapes >= total) {
                context = parent;
                continue;
            }
            let position = decoder.position(total)?;
            if position < u32::from(escapes) {
                decoder.consume(0, escapes.into())?;
                if context == ROOT {
                    return Some(None);
                }
                context = parent;
                continue;
            }
            let step = if context == ROOT { ROOT_STEP } else { SUBCONTEXT };
            let (value, found) = self.find(context, position - u32::from(escapes), step)?;
            decoder.consume(u32::from(escapes) + found.under, found.count)?;
            self.seen(context, found.count, step);
            break (value, found.node);
        };
        // Update the longer contexts that were escaped from.
        let (mut longer, mut link) = (self.predicted, Link::Predicted);
        while longer != context {
            let shorter = self.node(longer).parent;
            let found = self.bump(longer, value, SUBCONTEXT);
            link = self.link(link, found.node);
            self.seen(longer, found.count, SUBCONTEXT);
            longer = shorter;
        }
        self.link(link, bottom);
        Some(Some(value))
    }

    /// Counts `value` in a context, and adds it if it is new.
    fn bump(&mut self, context: u16, value: u8, step: Step) -> Found {
        let (mut under, mut count) = (u32::from(value) * step.minimum, step.minimum);
        let mut at = self.node(context).symbols;
        if at == NONE {
            let node = self.create(value, step);
            self.node_mut(context).symbols = node;
            return Found { node, under, count };
        }
        loop {
            let node = self.node_mut(at);
            let next = if value < node.value {
                node.under += u16::from(step.delta);
                node.left
            } else if value > node.value {
                under += u32::from(node.under);
                node.right
            } else {
                under += u32::from(node.under) - u32::from(node.count);
                count += u32::from(node.count);
                node.under += u16::from(step.delta);
                node.count += step.delta;
                return Found { node: at, under, count };
            };
            if next != NONE {
                at = next;
                continue;
            }
            let is_left = value < node.value;
            let node = self.create(value, step);
            let parent = self.node_mut(at);
            *(if is_left { &mut parent.left } else { &mut parent.right }) = node;
            return Found { node, under, count };
        }
    }

    /// Finds the symbol whose range of frequencies contains `code`, and counts it. In the root,
    /// adds it if it is new.
    fn find(&mut self, context: u16, code: u32, step: Step) -> Option<(u8, Found)> {
        let mut under = 0;
        let mut at = self.node(context).symbols;
        let is_root = step.minimum > 0;
        if at == NONE {
            if !is_root {
                return None;
            }
            let value = code as u8;
            let node = self.create(value, step);
            self.node_mut(context).symbols = node;
            return Some((value, Found { node, under: code, count: step.minimum }));
        }
        loop {
            let node = self.node_mut(at);
            let after = under + u32::from(node.under) + (u32::from(node.value) + 1) * step.minimum;
            let before = u32::from(node.count) + step.minimum;
            let value = u32::from(node.value);
            let (next, is_left) = if code >= after {
                under += u32::from(node.under);
                (node.right, false)
            } else if code < after - before {
                node.under += u16::from(step.delta);
                (node.left, true)
            } else {
                node.under += u16::from(step.delta);
                node.count += step.delta;
                let found = Found { node: at, under: after - before, count: before };
                return Some((node.value, found));
            };
            if next != NONE {
                at = next;
                continue;
            }
            if !is_root {
                return None;
            }
            let value = if is_left {
                value.checked_sub(after - before - code)?
            } else {
                value + 1 + (code - after)
            };
            let value = u8::try_from(value).ok()?;
            let node = self.create(value, step);
            let parent = self.node_mut(at);
            *(if is_left { &mut parent.left } else { &mut parent.right }) = node;
            return Some((value, Found { node, under: code, count: step.minimum }));
        }
    }

    /// Updates the frequencies of a context after a symbol was counted, which had `count` before.
    fn seen(&mut self, context: u16, count: u32, step: Step) {
        let node = self.node_mut(context);
        if count == 0 {
            node.escapes += ESCAPE_DELTA;
            node.total += ESCAPE_DELTA;
        }
        node.total += u16::from(step.delta);
        if count > 0xff - 2 * u32::from(step.delta) + step.minimum || node.total > TOTAL_MAX {
            self.rescale(context, step);
        }
    }

    /// Halves the frequencies of a context.
    fn rescale(&mut self, context: u16, step: Step) {
        let Node { symbols, escapes, .. } = *self.node(context);
        let total = self.halve(symbols);
        let node = self.node_mut(context);
        node.escapes = escapes - (escapes >> 1);
        node.total = total + node.escapes + 256 * step.minimum as u16;
    }

    /// Halves the counts of a tree. Returns their sum. A tree has at most 256 levels.
    fn halve(&mut self, mut at: u16) -> u16 {
        let mut total = 0;
        while at != NONE {
            let left = self.node(at).left;
            let smaller = self.halve(left);
            let node = self.node_mut(at);
            node.count -= node.count >> 1;
            node.under = u16::from(node.count) + smaller;
            total += node.under;
            at = node.right;
        }
        total
    }

    fn link(&mut self, link: Link, to: u16) -> Link {
        match link {
            Link::Predicted => self.predicted = to,
            Link::Parent(of) => self.nodes[of as usize].parent = to,
        }
        Link::Parent(to)
    }

    /// Moves to the context of the next byte.
    fn next(&mut self) {
        if self.order < ORDER {
            self.order += 1;
        } else {
            self.predicted = self.node(self.predicted).parent;
        }
        if usize::from(self.used) >= NODES_MAX - usize::from(ORDER) {
            self.reset();
        }
    }

    fn reset(&mut self) {
        let total = ROOT_ESCAPES + 256 * ROOT_STEP.minimum as u16;
        self.nodes[0] = Node { escapes: ROOT_ESCAPES, total, ..Node::default() };
        (self.used, self.predicted, self.order) = (1, ROOT, 0);
    }

    fn create(&mut self, value: u8, step: Step) -> u16 {
        let (index, under) = (self.used, step.delta.into());
        self.nodes[usize::from(index)] =
            Node { value, count: step.delta, under, ..Node::default() };
        self.used += 1;
        index
    }

    fn node(&self, index: u16) -> &Node {
        &self.nodes[index as usize]
    }

    fn node_mut(&mut self, index: u16) -> &mut Node {
        &mut self.nodes[index as usize]
    }
}

const NODES_MAX: usize = 4_096;
const ROOT: u16 = 0;
/// No node: the root is not in a tree.
const NONE: u16 = 0;
const TOTAL_MAX: u16 = (BOTTOM - 0x100) as u16;
const ORDER: u8 = 2;
const ROOT_ESCAPES: u16 = 1;
const ESCAPE_DELTA: u16 = 5;
const ROOT_STEP: Step = Step { delta: 3, minimum: 1 };
const SUBCONTEXT: Step = Step { delta: 2, minimum: 0 };

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compress(input: &[u8]) -> Vec<u8> {
        let mut out = vec![0; input.len() * 2 + 64];
        let len = RangeCoder::default().compress(input, &mut out).unwrap();
        out.truncate(len);
        out
    }

    fn expand(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0; 4_096];
        let len = RangeCoder::default().expand(input, &mut out)?;
        out.truncate(len);
        Some(out)
    }

    #[test]
    fn a_command_of_godot_is_compressed_to_godots_bytes() {
        // BANDWIDTH_LIMIT, from a capture.
        let command = [0x8a, 0xff, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0];
        let block = [0x8b, 0x73, 0x90, 0xaa, 0xe9, 0x28, 0x3a, 0x44, 0x54, 0xd3];
        assert_eq!(compress(&command), block);
        assert_eq!(expand(&block).unwrap(), command);
    }

    #[test]
    fn empty_input_is_compressed_to_empty_output() {
        assert_eq!(compress(&[]), [0; 0]);
        assert_eq!(expand(&[]).unwrap(), [0; 0]);
    }

    #[test]
    fn decompression_stops_at_the_end_of_the_output() {
        let block = compress(&[7; 4_000]);
        assert!(block.len() < 100, "{}", block.len());
        assert_eq!(RangeCoder::default().expand(&block, &mut [0; 3_999]), None);
        assert_eq!(RangeCoder::default().expand(&block, &mut [0; 4_000]), Some(4_000));
    }

    #[test]
    fn a_code_beyond_all_frequencies_is_rejected() {
        assert_eq!(expand(&[0xff; 4]), None);
    }

    #[test]
    fn compression_fails_if_the_output_is_too_small() {
        let input: Vec<u8> = (0..200_u32).map(|i| (i * i * 31 + i * 7) as u8).collect();
        assert_eq!(RangeCoder::default().compress(&input, &mut [0; 20]), None);
    }

    proptest! {
        #[test]
        fn compressed_blocks_decompress_to_their_input(
            bits in 1..=8_u32,
            bytes in prop::collection::vec(any::<u8>(), 0..4_096),
        ) {
            let input: Vec<u8> = bytes.iter().map(|byte| byte >> (8 - bits)).collect();
            prop_assert_eq!(expand(&compress(&input)).unwrap(), input);
        }

        #[test]
        fn decompression_of_any_bytes_stays_within_the_output(bytes in prop::collection::vec(any::<u8>(), 0..1_400)) {
            if let Some(out) = expand(&bytes) {
                prop_assert!(out.len() <= 4_096);
            }
        }

        #[test]
        fn a_corrupted_block_does_not_panic(
            text in prop::collection::vec(0..20_u8, 1..2_000),
            at in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            let mut block = compress(&text);
            let at = at.index(block.len());
            block[at] ^= flip;
            expand(&block);
        }
    }
}
