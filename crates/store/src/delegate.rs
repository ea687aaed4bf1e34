//! How a port is handed on to the store that is really there.

/// Methods of a port, inside of its `impl`. `name(argument: Type) -> T;` stands for a method
/// of that name that takes `&mut self` and returns `Result<T, StoreError>`.
macro_rules! methods {
    ($port:ident: $($method:ident($($argument:ident: $type:ty),* $(,)?) -> $value:ty;)*) => {
        $(
            fn $method(&mut self $(, $argument: $type)*) -> Result<$value, StoreError> {
                match self {
                    Self::File(inner) => $port::$method(inner $(, $argument)*),
                    Self::Postgres(inner) => $port::$method(inner $(, $argument)*),
                }
            }
        )*
    };
}

/// Ports of which each method is such a one.
macro_rules! delegate {
    (for $who:ty; $($port:ident { $($methods:tt)* })*) => {
        $(impl $port for $who {
            methods! { $port: $($methods)* }
        })*
    };
}

pub(crate) use {delegate, methods};
