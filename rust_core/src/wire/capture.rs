//! One front for capture files: format, link type, where the 802.11 frame lies.
