//! plugins/extract
