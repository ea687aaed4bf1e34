//! The shapes of what was given out elsewhere and is taken over.

use super::Shape;

/// Which texts a scheme takes over, beside those that it makes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct AcceptedShapes {
    /// Names.
    pub(super) name: Option<Shape>,
    /// Client ids.
    pub(super) client_id: Option<Shape>,
    /// Secrets.
    pub(super) secret: Option<Shape>,
    /// Values of the attribute `token`.
    pub(super) token: Option<Shape>,
}

/// Shapes for people: "`a` or `b`".
pub(super) fn shapes_of<'a>(shapes: impl Iterator<Item = &'a Shape>) -> String {
    let shapes: Vec<_> = shapes.map(|shape| format!("`{shape}`")).collect();
    shapes.join(" or ")
}

/// A secret of fewer random bits is hashed slowly; its digest could be turned back.
pub(super) const FEWEST_DIGEST_BITS: u32 = 64;
