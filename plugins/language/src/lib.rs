//! plugins/language
