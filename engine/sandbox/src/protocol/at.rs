//! A shape where it is used: what the model says of it, member first, then the shape itself.

use piton_models::{Location, Member, Model, Shape, ShapeKind, TimestampFormat, XmlNamespace};

/// A shape and the member that refers to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) model: &'a Model,
    pub(super) shape: &'a Shape,
    pub(super) member: Option<&'a Member>,
}

impl<'a> At<'a> {
    /// The shape of an operation's input or output.
    pub(super) fn root(model: &'a Model, shape: &'a Shape) -> Self {
        Self { model, shape, member: None }
    }

    fn at(self, member: &'a Member) -> Self {
        Self { model: self.model, shape: self.model.shape(&member.shape), member: Some(member) }
    }

    pub(super) fn kind(self) -> ShapeKind {
        self.shape.kind
    }

    /// Members of a structure in the model's order, with their names.
    pub(super) fn members(self) -> impl Iterator<Item = (&'a str, Self)> {
        self.shape.members.0.iter().map(move |(name, member)| (name.as_str(), self.at(member)))
    }

    /// A member by name.
    pub(super) fn member_named(self, name: &str) -> Option<Self> {
        self.shape.member_named(name).map(|member| self.at(member))
    }

    /// Element of a list. [`Model::parse`] has checked that lists have one.
    pub(super) fn element(self) -> Option<Self> {
        self.shape.member.as_ref().map(|member| self.at(member))
    }

    /// Key of a map.
    pub(super) fn key(self) -> Option<Self> {
        self.shape.key.as_ref().map(|member| self.at(member))
    }

    /// Value of a map.
    pub(super) fn value(self) -> Option<Self> {
        self.shape.value.as_ref().map(|member| self.at(member))
    }

    /// Name on the wire, when it is not the member's own.
    pub(super) fn location_name(self) -> Option<&'a str> {
        self.member
            .and_then(|member| member.location_name.as_deref())
            .or(self.shape.location_name.as_deref())
    }

    /// Name of a member's element: what the shape is called as a document does not count.
    pub(super) fn element_name(self, name: &'a str) -> &'a str {
        self.member.and_then(|member| member.location_name.as_deref()).unwrap_or(name)
    }

    /// Name of the root element that the shape has as a document of its own.
    pub(super) fn root_name(self, name: &'a str) -> &'a str {
        self.location_name().or(self.member.map(|member| member.shape.as_str())).unwrap_or(name)
    }

    /// Name on the wire of a member called `name`.
    pub(super) fn wire_name(self, name: &'a str) -> &'a str {
        self.location_name().unwrap_or(name)
    }

    pub(super) fn location(self) -> Option<Location> {
        self.member.and_then(|member| member.location)
    }

    /// A list or map without a wrapping element.
    pub(super) fn flattened(self) -> bool {
        self.shape.flattened || self.member.is_some_and(|member| member.flattened)
    }

    pub(super) fn jsonvalue(self) -> bool {
        self.member.is_some_and(|member| member.jsonvalue)
    }

    pub(super) fn xml_attribute(self) -> bool {
        self.member.is_some_and(|member| member.xml_attribute)
    }

    pub(super) fn xml_namespace(self) -> Option<&'a XmlNamespace> {
        self.member
            .and_then(|member| member.xml_namespace.as_deref())
            .or(self.shape.xml_namespace.as_deref())
    }

    /// The model's timestamp format, else the one that the place has by default.
    pub(super) fn timestamp_format(self, default: TimestampFormat) -> TimestampFormat {
        self.member
            .and_then(|member| member.timestamp_format)
            .or(self.shape.timestamp_format)
            .unwrap_or(default)
    }
}
