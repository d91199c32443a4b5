//! Archives out of pieces, so that the fuzzer need not find checksums by itself.

/// Cuts the data into pieces at a mark, packs each, and changes a byte here and there, as the data's end says.
pub fn packed(data: &[u8], pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (pieces, changes) = data.split_at(data.len().saturating_sub(8));
    let mut archive = Vec::new();
    for piece in pieces.split(|&byte| byte == 0xff) {
        archive.extend(pack(piece));
    }
    for change in changes.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        // Most archives stay as they are in most places.
        if change[2] < 0x40 && at < archive.len() {
            archive[at] ^= change[3];
        }
    }
    archive
}
