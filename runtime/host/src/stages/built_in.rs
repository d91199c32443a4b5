//! The components that the build script made of the folder `plugins`, packed with zstd.

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

pub(super) fn packed(name: &str) -> Option<&'static [u8]> {
    BUILT_IN.iter().find(|(it, _)| *it == name).map(|(_, packed)| *packed)
}
