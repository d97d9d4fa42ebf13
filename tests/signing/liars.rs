//! One node against members who lie.
