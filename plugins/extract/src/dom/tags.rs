//! What is known of element names: which of them end, hold or hide what.

/// The elements that are told apart. Formatting has no part in a tree that is read for its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    A,
    Address,
    Annotation,
    Article,
    Aside,
    Base,
    Blockquote,
    Body,
    Br,
    Button,
    Caption,
    /// Blocks of which nothing else is known.
    Block,
    Dd,
    Details,
    Dialog,
    Div,
    Dl,
    Dt,
    Figcaption,
    Figure,
    Footer,
    Form,
    Format,
    H1,
    H2,
    H3,
    H4,
    H5,
    H6,
    Head,
    Header,
    Hr,
    Html,
    Label,
    Li,
    Main,
    Math,
    Meta,
    Nav,
    Noscript,
    Ol,
    Option,
    /// Elements that HTML does not know, and inline ones that carry classes.
    Other,
    P,
    Pre,
    /// Text that is not parsed and of no use.
    Raw,
    Script,
    Section,
    Select,
    /// Holds no text of the page, or a second copy of it for other programs.
    Silent,
    Span,
    Summary,
    Svg,
    Table,
    /// The groups of a table's rows.
    Tbody,
    Td,
    Template,
    Textarea,
    Th,
    Time,
    Title,
    Tr,
    Ul,
    Void,
}

impl Tag {
    pub(crate) fn named(name: &[u8]) -> Self {
        let mut lower = [0; 16];
        let Some(lower) = lower.get_mut(..name.len()) else { return Self::Other };
        for (to, from) in lower.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        match &*lower {
            b"a" => Self::A,
            b"b" | b"i" | b"u" | b"s" | b"q" | b"em" | b"strong" | b"font" | b"small" | b"big" | b"tt"
            | b"strike" | b"nobr" | b"mark" | b"abbr" | b"acronym" | b"cite" | b"dfn" | b"kbd" | b"samp"
            | b"var" | b"del" | b"ins" | b"sub" | b"sup" | b"bdi" | b"bdo" | b"data" | b"code" | b"rb"
            | b"rtc" => Self::Format,
            b"div" => Self::Div,
            b"span" => Self::Span,
            b"p" => Self::P,
            b"br" => Self::Br,
            b"li" => Self::Li,
            b"ul" | b"menu" | b"dir" => Self::Ul,
            b"ol" => Self::Ol,
            b"h1" => Self::H1,
            b"h2" => Self::H2,
            b"h3" => Self::H3,
            b"h4" => Self::H4,
            b"h5" => Self::H5,
            b"h6" => Self::H6,
            b"table" => Self::Table,
            b"tbody" | b"thead" | b"tfoot" => Self::Tbody,
            b"tr" => Self::Tr,
            b"td" => Self::Td,
            b"th" => Self::Th,
            b"caption" => Self::Caption,
            b"dl" => Self::Dl,
            b"dt" => Self::Dt,
            b"dd" => Self::Dd,
            b"article" => Self::Article,
            b"aside" => Self::Aside,
            b"section" => Self::Section,
            b"main" => Self::Main,
            b"nav" => Self::Nav,
            b"header" => Self::Header,
            b"footer" => Self::Footer,
            b"address" => Self::Address,
            b"blockquote" => Self::Blockquote,
            b"pre" | b"listing" => Self::Pre,
            b"figure" => Self::Figure,
            b"figcaption" => Self::Figcaption,
            b"details" => Self::Details,
            b"summary" => Self::Summary,
            b"dialog" => Self::Dialog,
            b"form" => Self::Form,
            b"button" => Self::Button,
            b"select" => Self::Select,
            b"option" | b"optgroup" => Self::Option,
            b"label" => Self::Label,
            b"time" => Self::Time,
            b"hr" => Self::Hr,
            b"html" => Self::Html,
            b"head" => Self::Head,
            b"body" => Self::Body,
            b"title" => Self::Title,
            b"meta" => Self::Meta,
            b"base" => Self::Base,
            b"script" => Self::Script,
            b"noscript" => Self::Noscript,
            b"svg" => Self::Svg,
            b"math" => Self::Math,
            b"annotation" => Self::Annotation,
            b"template" => Self::Template,
            b"textarea" => Self::Textarea,
            b"style" | b"iframe" | b"noembed" | b"noframes" | b"xmp" | b"plaintext" => Self::Raw,
            b"object" | b"audio" | b"video" | b"canvas" | b"datalist" | b"rp" | b"rt" => Self::Silent,
            b"area" | b"basefont" | b"bgsound" | b"col" | b"embed" | b"frame" | b"img" | b"image"
            | b"input" | b"keygen" | b"link" | b"param" | b"source" | b"track" | b"wbr" => Self::Void,
            b"center" | b"fieldset" | b"hgroup" | b"search" | b"legend" | b"frameset" | b"marquee"
            | b"applet" => Self::Block,
            _ => Self::Other,
        }
    }

    /// Whether text before, in and after the element stands apart.
    pub(crate) fn is_block(self) -> bool {
        !matches!(
            self,
            Self::A
                | Self::Annotation
                | Self::Base
                | Self::Br
                | Self::Button
                | Self::Format
                | Self::Label
                | Self::Math
                | Self::Meta
                | Self::Noscript
                | Self::Option
                | Self::Other
                | Self::Raw
                | Self::Script
                | Self::Select
                | Self::Silent
                | Self::Span
                | Self::Svg
                | Self::Template
                | Self::Textarea
                | Self::Time
                | Self::Title
                | Self::Void
        )
    }

    pub(crate) fn is_heading(self) -> bool {
        matches!(self, Self::H1 | Self::H2 | Self::H3 | Self::H4 | Self::H5 | Self::H6)
    }

    pub(crate) fn is_cell(self) -> bool {
        matches!(self, Self::Td | Self::Th)
    }

    /// Whether a reader is shown nothing of what is in it.
    pub(crate) fn is_silent(self) -> bool {
        matches!(
            self,
            Self::Head
                | Self::Button
                | Self::Option
                | Self::Raw
                | Self::Script
                | Self::Select
                | Self::Silent
                | Self::Svg
                | Self::Template
                | Self::Textarea
                | Self::Title
        )
    }

    /// What the end tags of other elements do not reach across.
    pub(super) fn is_scope(self) -> bool {
        matches!(self, Self::Caption | Self::Html | Self::Table | Self::Template) || self.is_cell()
    }

    pub(super) fn is_table_part(self) -> bool {
        matches!(self, Self::Caption | Self::Table | Self::Tbody | Self::Tr) || self.is_cell()
    }

    /// Whether the start tag closes an open paragraph.
    pub(super) fn ends_paragraph(self) -> bool {
        self == Self::Table
            || self.is_block()
                && !self.is_table_part()
                && !matches!(self, Self::Body | Self::Head | Self::Html)
    }
}
