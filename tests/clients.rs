//! Other people's clients against the sandbox over loopback HTTP.
