//! The one macro that declares a type of the kernel/user contract.

/// Declares `#[repr(C)]` structs whose layout is proved at compile time: no hidden padding, every
/// bit pattern valid, and the size in brackets (bytes) pinned. With the feature `user` they are
/// aya's `Pod` as well.
///
/// The proof is zerocopy's `IntoBytes + FromBytes`; a `bool`, an enum, a reference or a padding hole
/// does not compile.
macro_rules! shared {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident [$size:literal] {
            $( $(#[$field_meta:meta])* pub $field:ident : $type:ty, )+
        }
    )+) => {$(
        $(#[$meta])*
        #[repr(C)]
        #[derive(
            Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        pub struct $name {
            $( $(#[$field_meta])* pub $field : $type, )+
        }

        const _: () = assert!(
            core::mem::size_of::<$name>() == $size,
            concat!("the size of ", stringify!($name), " is part of the ABI"),
        );

        #[cfg(feature = "user")]
        // SAFETY: `repr(C)`, `Copy` and zerocopy's `FromBytes + IntoBytes` prove that the type holds
        // no padding, no reference and no invalid bit pattern, which is what aya asks of a `Pod`.
        unsafe impl aya::Pod for $name {}
    )+};
}

pub(crate) use shared;
