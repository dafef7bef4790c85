//! Operation names between AWS (`CreateProject`) and scripts (`create_project`).
//!
//! The script's names are those of the official Rust SDK, so that what a runbook says can be looked
//! up there: the rule below is the SDK generator's, with its list of words that stay whole.

/// Words that the SDK generator keeps whole when it splits a name.
const WHOLE_WORDS: [(&str, &str); 7] = [
    ("IPv4", "Ipv4"),
    ("IPv6", "Ipv6"),
    ("SigV4", "Sigv4"),
    ("MiB", "Mib"),
    ("GiB", "Gib"),
    ("KiB", "Kib"),
    ("TtL", "Ttl"),
];

/// The script's name of an operation or member: `CreateProject` is `create_project`,
/// `ListMFADevices` is `list_mfa_devices`, `ListSSHPublicKeys` is `list_ssh_public_keys`.
pub fn to_script(wire: &str) -> String {
    let mut name = wire.to_owned();
    for (from, to) in WHOLE_WORDS {
        name = name.replace(from, to);
    }
    // A plural acronym is one word: `ListWebACLs`, `CreateARNs`.
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 8);
    for (index, &current) in chars.iter().enumerate() {
        if current.is_ascii_uppercase() && index > 0 {
            let previous = chars[index - 1];
            let next = chars.get(index + 1).copied();
            let after_next = chars.get(index + 2).copied();
            let starts_word = previous.is_ascii_lowercase() || previous.is_ascii_digit();
            let ends_acronym = previous.is_ascii_uppercase()
                && next.is_some_and(|next| next.is_ascii_lowercase())
                && !(next == Some('s')
                    && after_next.is_none_or(|after| after.is_ascii_uppercase()));
            if (starts_word || ends_acronym) && !out.ends_with('_') {
                out.push('_');
            }
        }
        out.push(if current == '-' || current == ' ' { '_' } else { current.to_ascii_lowercase() });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::to_script;

    #[test]
    fn names_are_the_sdk_s() {
        for (wire, script) in [
            ("CreateProject", "create_project"),
            ("GetEnvironmentBlueprintConfiguration", "get_environment_blueprint_configuration"),
            ("ListMFADevices", "list_mfa_devices"),
            ("ListSSHPublicKeys", "list_ssh_public_keys"),
            ("CreateSAMLProvider", "create_saml_provider"),
            ("AssumeRoleWithWebIdentity", "assume_role_with_web_identity"),
            ("GetClusterCredentialsWithIAM", "get_cluster_credentials_with_iam"),
            ("EnableSnapshotCopy", "enable_snapshot_copy"),
            ("GetStatementResultV2", "get_statement_result_v2"),
        ] {
            assert_eq!(to_script(wire), script, "{wire}");
        }
    }
}
