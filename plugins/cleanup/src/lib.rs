//! plugins/cleanup
